"""The sandbox's Stripe face, held to what Stripe's own SDK expects of Stripe."""

import http.client
from collections.abc import Iterator
from itertools import count
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import stripe
from stripe.params import PaymentIntentCreateParams

from tests.unit.sandbox.running import RunningSandbox

_serial = count(1)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """One sandbox for the module."""
    with RunningSandbox(tmp_path_factory.mktemp("sandbox") / "record.jsonl") as running:
        yield running


@pytest.fixture
def sdk(sandbox: RunningSandbox) -> stripe.StripeClient:
    """Stripe's SDK, pointed at the sandbox."""
    return sandbox.sdk


def params(token: str = "pm_card_visa", **more: object) -> PaymentIntentCreateParams:
    """Make the parameters of an intent of 12.34 USD that is confirmed at once."""
    made: PaymentIntentCreateParams = {
        "amount": 1_234,
        "currency": "usd",
        "payment_method": token,
        "confirm": True,
        "metadata": {"payment_id": f"pay_{next(_serial)}"},
    }
    return {**made, "payment_method_types": ["card"], **more}  # type: ignore[typeddict-item]


def key() -> stripe.RequestOptions:
    """Make an idempotency key that no other call uses."""
    return {"idempotency_key": f"key-{next(_serial)}"}


def test_create_then_confirm(sandbox: RunningSandbox, sdk: stripe.StripeClient) -> None:
    """Two steps charge once, and the record says so with the metadata as it was sent."""
    intents = sdk.v1.payment_intents
    asked = params(confirm=False)
    made = intents.create(asked)
    done = intents.confirm(made.id)

    assert (made.status, made.object, made.livemode) == (
        "requires_confirmation", "payment_intent", False,
    )  # fmt: skip
    assert (done.status, done.amount, done.amount_received) == ("succeeded", 1_234, 1_234)
    assert done.client_secret == made.client_secret
    assert intents.retrieve(made.id).to_dict() == done.to_dict()
    [entry] = [line for line in sandbox.entries() if line["payment_reference"] == made.id]
    assert (entry["kind"], entry["reference"], entry["amount"], entry["currency"]) == (
        "charge", done.latest_charge, 1_234, "usd",
    )  # fmt: skip
    assert entry["metadata"] == asked["metadata"]


def test_the_charge_of_an_intent(sdk: stripe.StripeClient) -> None:
    """An intent's charges are listed and retrieved, the failed ones too."""
    intent = sdk.v1.payment_intents.create(params("psp_card_token_xyz"))
    assert isinstance(intent.latest_charge, str)
    charge = sdk.v1.charges.retrieve(intent.latest_charge)

    assert (charge.status, charge.captured, charge.paid) == ("succeeded", True, True)
    assert (charge.payment_intent, charge.amount_captured) == (intent.id, 1_234)
    assert [each.id for each in sdk.v1.charges.list({"payment_intent": intent.id})] == [charge.id]


@pytest.mark.parametrize(
    ("token", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeCustomerFail", "card_declined", "generic_decline"),
    ],
)
def test_decline(sdk: stripe.StripeClient, token: str, code: str, decline_code: str) -> None:
    """A decline is a CardError with the intent inside, which can be paid otherwise."""
    with pytest.raises(stripe.CardError) as declined:
        sdk.v1.payment_intents.create(params(token))

    error = declined.value.error
    assert error is not None
    assert error.payment_intent is not None
    intent = sdk.v1.payment_intents.retrieve(error.payment_intent.id)
    assert (declined.value.http_status, error.code, error.decline_code) == (
        402, code, decline_code,
    )  # fmt: skip
    assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.code == code
    assert isinstance(intent.latest_charge, str)
    assert sdk.v1.charges.retrieve(intent.latest_charge).failure_code == code
    paid = sdk.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert paid.status == "succeeded"


def answer_challenge(sandbox: RunningSandbox, url: str, result: str) -> tuple[int, str]:
    """Press a button of the 3-D Secure page; give the status, and where the browser is sent."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", parts.path, urlencode({"result": result}), form)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers.get("Location", "")


@pytest.mark.parametrize(
    ("result", "redirect_status", "status", "kinds"),
    [
        ("complete", "succeeded", "succeeded", ["charge"]),
        ("fail", "failed", "requires_payment_method", ["decline"]),
    ],
)
def test_three_d_secure_by_redirect(
    sandbox: RunningSandbox,
    sdk: stripe.StripeClient,
    result: str,
    redirect_status: str,
    status: str,
    kinds: list[str],
) -> None:
    """The buyer is sent to a page, answers there, and comes back to return_url."""
    asked = params("pm_card_threeDSecure2Required", return_url="https://shop.example/back?a=1")
    intent = sdk.v1.payment_intents.create(asked)
    assert (intent.status, intent.amount_received) == ("requires_action", 0)
    assert intent.next_action is not None
    assert intent.next_action.redirect_to_url is not None
    url = intent.next_action.redirect_to_url.url
    assert url is not None

    page = sandbox.http("GET", urlsplit(url).path)
    code, location = answer_challenge(sandbox, url, result)
    after = sdk.v1.payment_intents.retrieve(intent.id)

    assert page[0] == 200
    assert intent.id in page[1]
    assert code == 303
    assert location.startswith("https://shop.example/back?a=1&")
    assert parse_qs(urlsplit(location).query)["redirect_status"] == [redirect_status]
    assert (after.status, after.next_action) == (status, None)
    assert sandbox.kinds(f"?metadata.payment_id={intent.metadata['payment_id']}") == kinds
    assert answer_challenge(sandbox, url, "complete")[0] == 409


def test_three_d_secure_without_return_url(
    sandbox: RunningSandbox, sdk: stripe.StripeClient
) -> None:
    """Without a return_url the browser's SDK is asked to act, on the same page."""
    intent = sdk.v1.payment_intents.create(params("pm_card_threeDSecure2Required"))

    assert intent.next_action is not None
    assert intent.next_action.type == "use_stripe_sdk"
    code, _ = answer_challenge(sandbox, f"{sandbox.url}/stripe/3ds/{intent.id}", "complete")
    assert code == 200
    assert sdk.v1.payment_intents.retrieve(intent.id).status == "succeeded"


def test_failed_authentication_says_why(sandbox: RunningSandbox, sdk: stripe.StripeClient) -> None:
    """After a failed challenge the intent tells payment_intent_authentication_failure."""
    intent = sdk.v1.payment_intents.create(params("pm_card_threeDSecure2Required"))
    answer_challenge(sandbox, f"{sandbox.url}/stripe/3ds/{intent.id}", "fail")
    error = sdk.v1.payment_intents.retrieve(intent.id).last_payment_error

    assert error is not None
    assert error.code == "payment_intent_authentication_failure"


def test_manual_capture(sandbox: RunningSandbox, sdk: stripe.StripeClient) -> None:
    """An authorization holds the amount; part of it is captured, once."""
    intents = sdk.v1.payment_intents
    held = intents.create(params(capture_method="manual"))
    taken = intents.capture(held.id, {"amount_to_capture": 1_000})

    assert (held.status, held.amount_capturable, held.amount_received) == (
        "requires_capture", 1_234, 0,
    )  # fmt: skip
    assert (taken.status, taken.amount_capturable, taken.amount_received) == ("succeeded", 0, 1_000)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        intents.capture(held.id)
    assert refused.value.code == "payment_intent_unexpected_state"
    found = sandbox.entries(f"?metadata.payment_id={held.metadata['payment_id']}")
    assert [(line["kind"], line["amount"]) for line in found] == [
        ("authorization", 1_234), ("capture", 1_000),
    ]  # fmt: skip


def test_cancel(sandbox: RunningSandbox, sdk: stripe.StripeClient) -> None:
    """A canceled authorization is a void; what has succeeded cannot be canceled."""
    intents = sdk.v1.payment_intents
    held = intents.create(params(capture_method="manual"))
    canceled = intents.cancel(held.id, {"cancellation_reason": "abandoned"})

    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    assert canceled.canceled_at is not None
    kinds = sandbox.kinds(f"?metadata.payment_id={held.metadata['payment_id']}")
    assert kinds == ["authorization", "void"]
    with pytest.raises(stripe.InvalidRequestError, match="cannot confirm"):
        intents.confirm(held.id)
    with pytest.raises(stripe.InvalidRequestError, match="cannot cancel"):
        intents.cancel(intents.create(params()).id)


def test_confirm_happens_once(sandbox: RunningSandbox, sdk: stripe.StripeClient) -> None:
    """A second confirm under a new key is refused, with the succeeded intent inside."""
    intent = sdk.v1.payment_intents.create(params())

    with pytest.raises(stripe.InvalidRequestError) as refused:
        sdk.v1.payment_intents.confirm(intent.id, {}, key())
    error = refused.value.error
    assert error is not None
    assert error.payment_intent is not None
    assert (error.code, error.payment_intent.status) == (
        "payment_intent_unexpected_state", "succeeded",
    )  # fmt: skip
    assert sandbox.kinds(f"?metadata.payment_id={intent.metadata['payment_id']}") == ["charge"]


def test_refunds(sandbox: RunningSandbox, sdk: stripe.StripeClient) -> None:
    """Refunds in parts, by intent and by charge, up to the charge and no further."""
    intent = sdk.v1.payment_intents.create(params())
    assert isinstance(intent.latest_charge, str)
    part = sdk.v1.refunds.create(
        {"payment_intent": intent.id, "amount": 1_000, "metadata": {"attempt_id": "att_1"}}
    )
    with pytest.raises(stripe.InvalidRequestError) as too_much:
        sdk.v1.refunds.create({"payment_intent": intent.id, "amount": 235})
    rest = sdk.v1.refunds.create({"charge": intent.latest_charge, "reason": "duplicate"})
    with pytest.raises(stripe.InvalidRequestError) as nothing_left:
        sdk.v1.refunds.create({"payment_intent": intent.id})
    listed = sdk.v1.refunds.list({"payment_intent": intent.id})
    by_charge = sdk.v1.refunds.list({"charge": intent.latest_charge, "limit": 1})

    assert (part.status, part.amount, part.charge) == ("succeeded", 1_000, intent.latest_charge)
    assert (rest.amount, rest.reason, rest.payment_intent) == (234, "duplicate", intent.id)
    assert too_much.value.param == "amount"
    assert nothing_left.value.code == "charge_already_refunded"
    assert [refund.id for refund in listed] == [rest.id, part.id]
    assert ([refund.id for refund in by_charge], by_charge.has_more) == ([rest.id], True)
    assert sdk.v1.refunds.retrieve(part.id).to_dict() == part.to_dict()
    assert part.to_dict()["metadata"] == {"attempt_id": "att_1"}
    assert sdk.v1.charges.retrieve(intent.latest_charge).refunded
    amounts = [
        line["amount"]
        for line in sandbox.entries("?kind=refund&limit=10000")
        if line["payment_reference"] == intent.id
    ]
    assert amounts == [1_000, 234]


def test_list_newest_first(sdk: stripe.StripeClient) -> None:
    """Lists are current, newest first, filtered by time and customer, and walked by cursors."""
    customer = f"cus_{next(_serial)}"
    made = [sdk.v1.payment_intents.create(params(customer=customer)) for _ in range(5)]
    ids = [intent.id for intent in reversed(made)]
    intents = sdk.v1.payment_intents
    page = intents.list({"customer": customer, "limit": 2})
    after = intents.list({"customer": customer, "limit": 2, "starting_after": ids[1]})
    before = intents.list({"customer": customer, "ending_before": ids[1]})
    since = intents.list({"created": {"gte": made[0].created}, "limit": 5})
    walked = intents.list({"customer": customer, "limit": 2}).auto_paging_iter()

    assert ([each.id for each in page], page.has_more) == (ids[:2], True)
    assert [each.id for each in after] == ids[2:4]
    assert [each.id for each in before] == ids[:1]
    assert [each.id for each in since] == ids
    assert [each.id for each in walked] == ids
    assert intents.list({"created": {"gte": made[0].created + 86_400}}).data == []


def test_idempotent_replay(sandbox: RunningSandbox, sdk: stripe.StripeClient) -> None:
    """The same key gives the first answer word for word, marked as replayed; so does a decline."""
    asked, options = params(), key()
    first = sdk.v1.payment_intents.create(asked, options)
    sdk.v1.refunds.create({"payment_intent": first.id})
    again = sdk.v1.payment_intents.create(asked, options)

    assert again.to_dict() == first.to_dict()
    assert first.last_response is not None
    assert again.last_response is not None
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert sandbox.kinds(f"?metadata.payment_id={first.metadata['payment_id']}") == ["charge"]

    refused = params("pm_card_chargeDeclined")
    options = key()
    bodies = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as declined:
            sdk.v1.payment_intents.create(refused, options)
        bodies.append(declined.value.json_body)
    assert bodies[0] == bodies[1]


def test_a_key_belongs_to_its_parameters(sdk: stripe.StripeClient) -> None:
    """The same key with other parameters is an IdempotencyError."""
    asked, options = params(), key()
    sdk.v1.payment_intents.create(asked, options)

    with pytest.raises(stripe.IdempotencyError) as mismatch:
        sdk.v1.payment_intents.create({**asked, "amount": 4_321}, options)
    assert mismatch.value.http_status == 400


def test_refused_requests_do_not_use_up_their_key(sdk: stripe.StripeClient) -> None:
    """A validation error keeps nothing; the key works once the request is right."""
    asked, options = params(), key()

    with pytest.raises(stripe.InvalidRequestError) as unknown:
        sdk.v1.payment_intents.create({**asked, "colour": "red"}, options)  # type: ignore[typeddict-unknown-key]
    assert (unknown.value.code, unknown.value.param) == ("parameter_unknown", "colour")
    assert sdk.v1.payment_intents.create(asked, options).status == "succeeded"


def test_wrong_requests(sdk: stripe.StripeClient) -> None:
    """Unknown currencies, amounts of nothing and objects that are not there are refused."""
    intents = sdk.v1.payment_intents
    for wrong, param in (({"currency": "zzz"}, "currency"), ({"amount": 0}, "amount")):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            intents.create(params(**wrong))
        assert refused.value.param == param
    with pytest.raises(stripe.InvalidRequestError) as missing:
        intents.retrieve("pi_nothing")
    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")


def test_a_wrong_key_is_refused(sandbox: RunningSandbox) -> None:
    """A key that is no test key is an AuthenticationError."""
    client = stripe.StripeClient(
        "sk_live_1", base_addresses={"api": f"{sandbox.url}/stripe"}, max_network_retries=0
    )

    with pytest.raises(stripe.AuthenticationError):
        client.v1.payment_intents.list()
