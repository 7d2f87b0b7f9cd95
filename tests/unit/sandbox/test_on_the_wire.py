"""A running sandbox, over HTTP: faults, darkness, the clock, control, and its life."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import stripe
from stripe.params import PaymentIntentConfirmParams, PaymentIntentCreateParams

from devstack.audit.psp_record import read_record
from tests.unit.sandbox.running import RunningSandbox

AUTHORIZED = {"Authorization": "Bearer sk_test_1"}
INTENT: PaymentIntentCreateParams = {
    "amount": 1_000,
    "currency": "usd",
    "payment_method": "pm_card_visa",
    "metadata": {"payment_id": "pay_1"},
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """One sandbox for the module."""
    with RunningSandbox(tmp_path_factory.mktemp("sandbox") / "record.jsonl") as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared: RunningSandbox) -> Iterator[RunningSandbox]:
    """The sandbox without faults or switches."""
    yield shared
    shared.control("DELETE", "/faults")
    shared.control("POST", "/dark", {"dark": False})
    shared.control("POST", "/over_refund", {"over_refund": False})


def created(sandbox: RunningSandbox, **fields: object) -> str:
    """Create an intent to be confirmed; give its id."""
    params: PaymentIntentCreateParams = {**INTENT, **fields}  # type: ignore[typeddict-item]
    return sandbox.sdk.v1.payment_intents.create(params).id


def confirm(
    sandbox: RunningSandbox,
    intent: str,
    key: str | None = None,
    params: PaymentIntentConfirmParams | None = None,
) -> stripe.PaymentIntent:
    """Confirm an intent, under a key of its own when none is given."""
    options: stripe.RequestOptions = {"idempotency_key": key} if key else {}
    return sandbox.sdk.v1.payment_intents.confirm(intent, params or {}, options)


def charges(sandbox: RunningSandbox, intent: str) -> int:
    """Count the charges of an intent in the record."""
    found = sandbox.entries("?kind=charge&limit=10000")
    return sum(entry["payment_reference"] == intent for entry in found)


def test_error_before_moves_nothing_and_stays_under_the_key(sandbox: RunningSandbox) -> None:
    """A 500 before the charge is replayed for ever; a new key charges."""
    intent = created(sandbox)
    sandbox.fault("error_before", match={"operation": "confirm"})

    for _ in range(2):
        with pytest.raises(stripe.APIError) as error:
            confirm(sandbox, intent, f"{intent}:1")
        assert error.value.http_status == 500

    assert charges(sandbox, intent) == 0
    assert confirm(sandbox, intent, f"{intent}:2").status == "succeeded"


def test_error_before_can_leave_the_key_alone(sandbox: RunningSandbox) -> None:
    """With cached false the same key executes the next time."""
    intent = created(sandbox)
    sandbox.fault("error_before", cached=False, match={"operation": "confirm"})

    with pytest.raises(stripe.APIError):
        confirm(sandbox, intent, intent)
    assert confirm(sandbox, intent, intent).status == "succeeded"


def test_error_after_charges_and_stays_under_the_key(sandbox: RunningSandbox) -> None:
    """A 500 after the charge is replayed, though the intent has succeeded, once."""
    intent = created(sandbox)
    sandbox.fault("error_after", match={"operation": "confirm"})

    for _ in range(2):
        with pytest.raises(stripe.APIError):
            confirm(sandbox, intent, intent)

    assert sandbox.sdk.v1.payment_intents.retrieve(intent).status == "succeeded"
    assert charges(sandbox, intent) == 1


@pytest.mark.parametrize("kind", ["charge_then_timeout", "connection_reset_after"])
def test_an_answer_lost_after_the_charge(sandbox: RunningSandbox, kind: str) -> None:
    """The charge is made and recorded, the answer never comes; the same key replays it."""
    intent = created(sandbox)
    extra = {"hold_s": 0.2} if kind == "charge_then_timeout" else {}
    sandbox.fault(kind, match={"operation": "confirm"}, **extra)

    with pytest.raises(stripe.APIConnectionError):
        confirm(sandbox, intent, intent)
    again = confirm(sandbox, intent, intent)

    assert again.status == "succeeded"
    assert again.last_response is not None
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert charges(sandbox, intent) == 1


def test_timeout_waits_for_a_charge(sandbox: RunningSandbox) -> None:
    """charge_then_timeout passes over calls that move nothing."""
    sandbox.fault("charge_then_timeout", hold_s=0.1)
    intent = created(sandbox)

    with pytest.raises(stripe.APIConnectionError):
        confirm(sandbox, intent)
    assert charges(sandbox, intent) == 1


def test_rate_limit_comes_before_the_key(sandbox: RunningSandbox) -> None:
    """A 429 with Retry-After moves nothing and is not kept under the key."""
    intent = created(sandbox)
    sandbox.fault("rate_limit", retry_after_s=7, match={"operation": "confirm"})

    with pytest.raises(stripe.RateLimitError) as error:
        confirm(sandbox, intent, intent)
    assert error.value.headers is not None
    assert error.value.headers["Retry-After"] == "7"
    (told,) = sandbox.entries("?kind=limited")
    assert (told["idempotency_key"], told["amount"]) == (intent, 0)
    audited = asyncio.run(read_record(sandbox.url, lambda _: None))
    assert ("limited", intent) in [(line.kind, line.key) for line in audited]
    assert confirm(sandbox, intent, intent).status == "succeeded"


def test_malformed_answers_can_be_asked_again(sandbox: RunningSandbox) -> None:
    """A truncated body comes with 200; the same key gives the whole one."""
    intent = created(sandbox)
    sandbox.fault("malformed", match={"metadata": {"payment_id": "pay_1"}})
    path = f"/stripe/v1/payment_intents/{intent}/confirm"
    headers = {**AUTHORIZED, "Idempotency-Key": intent}

    status, body = sandbox.http("POST", path, b"", headers)
    again, whole = sandbox.http("POST", path, b"", headers)

    assert (status, again) == (200, 200)
    assert isinstance(body, str)
    assert json.dumps(whole, separators=(",", ":")).startswith(body)


def test_wrong_amount_lies_in_the_answer_only(sandbox: RunningSandbox) -> None:
    """The answer names another amount than was charged."""
    intent = created(sandbox)
    sandbox.fault("wrong_amount", off_by=-1, match={"operation": "confirm"})

    lie = confirm(sandbox, intent)
    truth = sandbox.sdk.v1.payment_intents.retrieve(intent)

    assert (lie.amount, lie.amount_received) == (999, 999)
    assert (truth.amount, truth.amount_received) == (1_000, 1_000)


def test_slow_calls_hold_their_key(sandbox: RunningSandbox) -> None:
    """While a slow call runs, a second one with its key gets 409, and there is one charge."""
    intent = created(sandbox)
    sandbox.fault("slow", delay_ms=4_000, match={"operation": "confirm"})
    path = f"/stripe/v1/payment_intents/{intent}/confirm"
    headers = {**AUTHORIZED, "Idempotency-Key": intent}

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(sandbox.http, "POST", path, b"", headers)
        deadline = time.monotonic() + 60
        while sandbox.control("GET", "/faults")["faults"][0]["struck"] == 0:
            assert time.monotonic() < deadline
        second, body = sandbox.http("POST", path, b"", headers)
        first, _ = slow.result(60)

    assert (first, second) == (200, 409)
    assert body["error"]["code"] == "idempotency_key_in_use"
    assert charges(sandbox, intent) == 1


def test_faults_tell_how_often_they_struck(sandbox: RunningSandbox) -> None:
    """The counts go up with each effect and outlive the fault."""
    before = sandbox.struck().get("error_before", 0)
    sandbox.fault("error_before", times=2, match={"operation": "retrieve"})
    intent = created(sandbox)
    for _ in range(3):
        sandbox.http("GET", f"/stripe/v1/payment_intents/{intent}", headers=AUTHORIZED)
    fault = sandbox.control("GET", "/faults")["faults"][0]

    assert (fault["struck"], fault["spent"]) == (2, True)
    assert sandbox.control("DELETE", f"/faults/{fault['id']}") == {"removed": 1}
    assert sandbox.http("DELETE", f"/control/faults/{fault['id']}")[0] == 404
    assert sandbox.struck()["error_before"] == before + 2


def test_dark_hangs_up_before_any_effect(sandbox: RunningSandbox) -> None:
    """In the dark no call is answered, not even a replay; nothing happens; control still works."""
    intent = created(sandbox)
    sandbox.control("POST", "/dark", {"dark": True})
    lines = sandbox.control("GET", "/state")["record"]["lines"]

    for call in (confirm, lambda box, id_: box.sdk.v1.payment_intents.retrieve(id_)):
        with pytest.raises(stripe.APIConnectionError):
            call(sandbox, intent)

    assert sandbox.control("GET", "/state")["record"]["lines"] == lines
    sandbox.control("POST", "/dark", {"dark": False})
    assert confirm(sandbox, intent).status == "succeeded"


def test_the_clock_ages_keys_and_settles(sandbox: RunningSandbox) -> None:
    """A day later a key is new again, and what was processing is decided."""
    key = f"day-{time.monotonic_ns()}"
    v1 = sandbox.sdk.v1
    first = v1.payment_intents.create(INTENT, {"idempotency_key": key})
    slow = confirm(sandbox, created(sandbox, payment_method="pm_usBankAccount_success"))
    replayed = v1.payment_intents.create(INTENT, {"idempotency_key": key})

    sandbox.control("POST", "/clock", {"advance_s": 86_400})
    later = v1.payment_intents.create(INTENT, {"idempotency_key": key})

    assert slow.status == "processing"
    assert v1.payment_intents.retrieve(slow.id).status == "succeeded"
    assert replayed.id == first.id != later.id
    assert later.created - first.created >= 86_400


def test_the_over_refund_switch(sandbox: RunningSandbox) -> None:
    """Too large a refund goes through only with the switch on."""
    intent = confirm(sandbox, created(sandbox)).id
    refunds = sandbox.sdk.v1.refunds

    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        refunds.create({"payment_intent": intent, "amount": 1_500})
    sandbox.control("POST", "/over_refund", {"over_refund": True})
    assert refunds.create({"payment_intent": intent, "amount": 1_500}).amount == 1_500


def test_the_record_is_paged_and_filtered(sandbox: RunningSandbox) -> None:
    """A payment's lines are found by its metadata, in pages that join."""
    payment = f"pay_{time.monotonic_ns()}"
    for _ in range(3):
        confirm(sandbox, created(sandbox, metadata={"payment_id": payment}))
    query = f"?metadata.payment_id={payment}"
    whole = sandbox.entries(query)
    first = sandbox.control("GET", f"/record{query}&limit=2")
    rest = sandbox.control("GET", f"/record{query}&limit=2&after={first['next']}")

    assert sandbox.kinds(query) == ["charge"] * 3
    assert first["entries"] + rest["entries"] == whole
    assert rest["next"] is None
    assert sandbox.kinds(f"{query}&kind=all") == ["created", "charge"] * 3


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/faults", {"kind": "nonsense"}),
        ("POST", "/faults", {"kind": "malformed", "match": {"operation": "confrim"}}),
        ("POST", "/faults", {"kind": "malformed", "match": {"psp": "strip"}}),
        ("POST", "/clock", {"advance_s": -1}),
        ("POST", "/dark", {}),
        ("POST", "/over_refund", b"{"),
        ("GET", "/record?limit=x", None),
        ("GET", "/record?limit=1&limit=2", None),
    ],
)
def test_bad_control_is_told(sandbox: RunningSandbox, method: str, path: str, body: object) -> None:
    """Bad control input is a 400 with its reason."""
    status, answer = sandbox.http(method, f"/control{path}", body)

    assert status == 400
    assert answer["error"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer sk_live_1"}, 401),
        ({"Authorization": "Bearer sk_test_"}, 401),
        ({"Authorization": "Basic !!!"}, 401),
        ({"Authorization": "Digest sk_test_1"}, 401),
        ({"Authorization": "Basic c2tfdGVzdF8xOg=="}, 200),
        (AUTHORIZED, 200),
    ],
)
def test_who_is_let_in(sandbox: RunningSandbox, headers: dict[str, str], status: int) -> None:
    """A test key opens, by Bearer or as the user of Basic; nothing else does."""
    answered, body = sandbox.http("GET", "/stripe/v1/payment_intents", headers=headers)

    assert answered == status
    assert ("error" in body) == (status == 401)


def test_json_and_unknown_urls_are_refused(sandbox: RunningSandbox) -> None:
    """A JSON body is no form; a URL that is not there is told in Stripe's shape."""
    path = "/stripe/v1/payment_intents"
    json_headers = {**AUTHORIZED, "Content-Type": "application/json"}

    assert sandbox.http("POST", path, b'{"amount": 1}', json_headers)[0] == 400
    status, body = sandbox.http("GET", "/stripe/v1/nonsense", headers=AUTHORIZED)
    assert (status, body["error"]["type"]) == (404, "invalid_request_error")


def test_only_loopback_is_listened_on(sandbox: RunningSandbox) -> None:
    """Its port is bound to 127.0.0.1 alone."""
    port = urlsplit(sandbox.url).port
    assert port is not None
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    bound = {fields[1] for fields in listening if fields[3] == "0A"}
    loopback = socket.inet_aton("127.0.0.1")[::-1].hex().upper()

    assert {place for place in bound if place.endswith(f":{port:04X}")} == {
        f"{loopback}:{port:04X}"
    }


def test_kill_keeps_the_record_and_the_state(tmp_path: Path) -> None:
    """After kill -9 and a torn line, objects, keys, the clock and the record are as they were."""
    path = tmp_path / "record.jsonl"
    with RunningSandbox(path) as first:
        first.control("POST", "/clock", {"advance_s": 1_000})
        waiting = created(first)
        paid = confirm(first, created(first), "paid")
        with pytest.raises(stripe.CardError):
            confirm(first, created(first), "no", {"payment_method": "pm_card_chargeDeclined"})
        first.fault("rate_limit", match={"operation": "confirm"})
        with pytest.raises(stripe.RateLimitError):
            confirm(first, waiting, "too often")
        entries = first.entries("?kind=all")
        first.kill()
    path.write_bytes(path.read_bytes() + b'{"seq": 99, "at": "20')

    with RunningSandbox(path) as second:
        replayed = confirm(second, paid.id, "paid")

        assert second.entries("?kind=all") == entries
        assert second.control("GET", "/state")["clock"]["offset_s"] == 1_000
        assert replayed.to_dict() == paid.to_dict()
        assert replayed.last_response is not None
        assert replayed.last_response.headers["Idempotent-Replayed"] == "true"
        assert confirm(second, waiting, "too often").status == "succeeded"
        assert second.kinds() == ["charge", "decline", "charge"]


def test_term_stops_at_once_even_while_holding(tmp_path: Path) -> None:
    """SIGTERM ends it with 0, promptly, though an answer is being held back."""
    with RunningSandbox(tmp_path / "record.jsonl") as sandbox, ThreadPoolExecutor(1) as pool:
        intent = created(sandbox)
        sandbox.fault("charge_then_timeout", hold_s=600)
        held = pool.submit(confirm, sandbox, intent)
        deadline = time.monotonic() + 60
        while sandbox.struck().get("charge_then_timeout", 0) == 0:
            assert time.monotonic() < deadline

        assert sandbox.terminate() == 0  # it is waited for no longer than a deadline
        with pytest.raises(stripe.APIConnectionError):
            held.result(60)
