"""PayPal's face over HTTP: tokens, orders, keys, faults, restarts."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from tests.unit.sandbox.paypal_face import (
    DAY_S,
    ORDERS,
    bearer,
    charged,
    euros,
    issue,
    made,
    order,
    pay,
    told,
    vaulted,
)
from tests.unit.sandbox.running import RunningSandbox
from tests.unit.sandbox.served import Served

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CLIENT = base64.b64encode(b"client:fake").decode()


@pytest.fixture
async def paypal(tmp_path: Path) -> AsyncIterator[Served]:
    """A sandbox, called with an access token that outlives the test's clock."""
    served = await Served.start(tmp_path / "record.jsonl", {})
    served.headers = bearer(served.world.clock.now() + 100 * DAY_S)
    yield served
    await served.stop()


async def test_a_token_is_given_to_a_client(paypal: Served) -> None:
    """Basic credentials get a bearer token that works until it expires."""
    form, path = b"grant_type=client_credentials", "/paypal/v1/oauth2/token"
    paypal.headers = {}

    refused, _, _ = await paypal.send("POST", path, form, FORM)
    status, body, _ = await paypal.send(
        "POST", path, form, {**FORM, "Authorization": f"Basic {CLIENT}"}
    )
    paypal.headers = {"Authorization": f"Bearer {body['access_token']}"}

    assert (refused, status, body["token_type"]) == (401, 200, "Bearer")
    assert (await paypal.send("GET", f"{ORDERS}/NONE"))[0] == 404
    await paypal.advance(body["expires_in"] + 1)
    status, body, headers = await paypal.send("GET", f"{ORDERS}/NONE")
    assert (status, body["name"]) == (401, "AUTHENTICATION_FAILURE")
    assert headers["PayPal-Debug-Id"] == body["debug_id"]


async def test_an_order_is_approved_by_its_buyer_and_captured(paypal: Served) -> None:
    """The page sends the buyer back; only the capture moves money, in the record with our ids."""
    body = await made(paypal)
    links = {link["rel"]: link["href"] for link in body["links"]}
    page = urlsplit(links["approve"]).path
    capture = urlsplit(links["capture"]).path
    assert issue((await paypal.send("POST", capture))[1]) == "ORDER_NOT_APPROVED"
    assert "Approve" in (await paypal.send("GET", page))[1]

    status, _, headers = await paypal.send("POST", page, b"result=approve", FORM)
    query = parse_qs(urlsplit(headers["Location"]).query)
    assert (status, query["o"], query["token"]) == (303, ["1"], [body["id"]])
    assert query["PayerID"]
    assert await paypal.lines() == []

    status, captured, _ = await paypal.send("POST", capture)
    assert (status, captured["status"]) == (201, "COMPLETED")
    assert await paypal.lines("?metadata.attempt_id=att_1") == [("charge", 1000)]
    assert await paypal.lines("?metadata.invoice_id=pay_1") == [("charge", 1000)]
    assert told(paypal) == ["CHECKOUT.ORDER.APPROVED", "PAYMENT.CAPTURE.COMPLETED"]
    assert issue((await paypal.send("POST", capture))[1]) == "ORDER_ALREADY_CAPTURED"


async def test_a_buyer_can_cancel(paypal: Served) -> None:
    """Cancel leads to the cancel_url, and the order can be approved still."""
    body = await made(paypal)

    page = f"/paypal/approve/{body['id']}"
    _, _, headers = await paypal.send("POST", page, b"result=cancel", FORM)

    assert headers["Location"] == f"https://shop.example/no?token={body['id']}"
    assert (await paypal.send("GET", page))[0] == 200


async def test_a_stored_source_pays(paypal: Served) -> None:
    """A vault id in the capture pays without a buyer; the capture repeats amount and custom_id."""
    status, body, _ = await pay(paypal)
    [capture] = body["purchase_units"][0]["payments"]["captures"]

    assert (status, body["status"], capture["status"]) == (201, "COMPLETED", "COMPLETED")
    assert capture["amount"] == {"currency_code": "EUR", "value": "10.00"}
    assert capture["custom_id"] == "att_1"
    read = await paypal.send("GET", f"/paypal/v2/payments/captures/{capture['id']}")
    assert read[1] == capture


async def test_an_order_with_a_stored_source_is_paid_at_once(paypal: Served) -> None:
    """With a vault id the creation charges, and needs a PayPal-Request-Id."""
    request = order(**vaulted("any"))

    refused = await paypal.send("POST", ORDERS, request)
    paid = await paypal.send("POST", ORDERS, request, {"PayPal-Request-Id": "one"})

    assert (refused[0], issue(refused[1])) == (400, "PAYPAL_REQUEST_ID_REQUIRED")
    assert (paid[0], paid[1]["status"]) == (201, "COMPLETED")
    assert await paypal.lines() == [("charge", 1000)]


@pytest.mark.parametrize(
    "name", ["instrument_declined", "transaction_refused", "payer_cannot_pay", "card_expired"]
)
async def test_declines(paypal: Served, name: str) -> None:
    """A declining vault id is a 422 with its issue, replayed; another id then pays the order."""
    path, key = f"{ORDERS}/{(await made(paypal))['id']}/capture", {"PayPal-Request-Id": "one"}

    for _ in range(2):
        status, body, headers = await paypal.send("POST", path, vaulted(f"paypal_{name}"), key)
        assert (status, body["name"], issue(body)) == (422, "UNPROCESSABLE_ENTITY", name.upper())
        assert headers["PayPal-Debug-Id"] == body["debug_id"]

    assert await paypal.lines() == [("decline", 1000)]
    assert (await paypal.send("POST", path, vaulted("any")))[0] == 201


async def test_a_processor_declines_inside_a_completed_order(paypal: Served) -> None:
    """A card's decline is a 201 whose capture is DECLINED with the processor's code."""
    status, body, _ = await pay(paypal, "paypal_processor_5120", "card")
    [capture] = body["purchase_units"][0]["payments"]["captures"]

    assert (status, capture["status"]) == (201, "DECLINED")
    assert capture["processor_response"] == {"response_code": "5120"}
    assert await paypal.lines() == [("decline", 1000)]
    assert told(paypal) == ["PAYMENT.CAPTURE.DENIED"]


async def test_a_payer_must_act(paypal: Served) -> None:
    """PAYER_ACTION_REQUIRED links to the page, keeps nothing under its key, and then it pays."""
    body = await made(paypal)
    path, key = f"{ORDERS}/{body['id']}/capture", {"PayPal-Request-Id": "one"}
    source = vaulted("paypal_payer_action_required")

    status, refused, _ = await paypal.send("POST", path, source, key)
    [link] = refused["links"]
    assert (status, issue(refused), link["rel"]) == (422, "PAYER_ACTION_REQUIRED", "payer-action")
    await paypal.send("POST", urlsplit(link["href"]).path, b"result=approve", FORM)

    assert (await paypal.send("POST", path, source, key))[0] == 201
    assert await paypal.lines() == [("charge", 1000)]


@pytest.mark.parametrize(
    ("token", "status", "line", "event"),
    [
        ("paypal_pending", "COMPLETED", "charge", "PAYMENT.CAPTURE.COMPLETED"),
        ("paypal_pending_denied", "DECLINED", "decline", "PAYMENT.CAPTURE.DENIED"),
    ],
)
async def test_pending_captures(
    paypal: Served, token: str, status: str, line: str, event: str
) -> None:
    """A pending capture moves nothing, and is decided a minute later."""
    capture = f"/paypal/v2/payments/captures/{await charged(paypal, token)}"
    _, pending, _ = await paypal.send("GET", capture)
    assert (pending["status"], pending["status_details"]["reason"]) == ("PENDING", "PENDING_REVIEW")
    assert await paypal.lines() == []
    assert issue((await paypal.send("POST", f"{capture}/refund"))[1]) == "PENDING_CAPTURE"

    await paypal.advance(60)

    assert (await paypal.send("GET", capture))[1]["status"] == status
    assert await paypal.lines() == [(line, 1000)]
    assert told(paypal) == ["PAYMENT.CAPTURE.PENDING", event]


@pytest.mark.parametrize(
    ("value", "currency", "expected", "status"),
    [
        ("100.50", "JPY", "DECIMALS_NOT_SUPPORTED", 422),
        ("1.5", "HUF", "DECIMALS_NOT_SUPPORTED", 422),
        ("1.5", "TWD", "DECIMALS_NOT_SUPPORTED", 422),
        ("1.005", "EUR", "DECIMAL_PRECISION", 422),
        ("0.00", "EUR", "CANNOT_BE_ZERO_OR_NEGATIVE", 422),
        ("1.00", "ZZZ", "INVALID_CURRENCY_CODE", 422),
        ("ten", "EUR", "INVALID_PARAMETER_SYNTAX", 400),
    ],
)
async def test_amounts(
    paypal: Served, value: str, currency: str, expected: str, status: int
) -> None:
    """Amounts are decimal strings with the currency's decimals; others are told by field."""
    answer = await paypal.send("POST", ORDERS, order(value, currency))

    assert (answer[0], issue(answer[1])) == (status, expected)
    assert "amount" in answer[1]["details"][0]["field"]


async def test_whole_currencies_have_no_decimals(paypal: Served) -> None:
    """An amount in JPY is written and recorded without decimals."""
    body = await made(paypal, value="1500", currency="JPY")

    await paypal.send("POST", f"{ORDERS}/{body['id']}/capture", vaulted("any"))

    assert body["purchase_units"][0]["amount"]["value"] == "1500"
    assert await paypal.lines() == [("charge", 1500)]


async def test_the_default_answer_is_minimal(paypal: Served) -> None:
    """Without Prefer an order's creation gives id, status and links."""
    paypal.headers = {"Authorization": paypal.headers["Authorization"]}

    assert set(await made(paypal)) == {"id", "status", "links"}


@pytest.mark.parametrize("field", ["intent", "purchase_units"])
async def test_validation(paypal: Served, field: str) -> None:
    """A missing field is a 400 that names it."""
    request = order()
    del request[field]

    status, body, _ = await paypal.send("POST", ORDERS, request)

    assert (status, body["name"], issue(body)) == (
        400,
        "INVALID_REQUEST",
        "MISSING_REQUIRED_PARAMETER",
    )
    assert body["details"][0]["field"] == f"/{field}"


async def test_a_replay_shows_the_latest_state(paypal: Served) -> None:
    """The same id gives 200 and the order as it is now, for six hours."""
    key = {"PayPal-Request-Id": "one"}
    first = await paypal.send("POST", ORDERS, order(), key)
    await paypal.send("POST", f"{ORDERS}/{first[1]['id']}/capture", vaulted("any"))

    second = await paypal.send("POST", ORDERS, order(), key)
    await paypal.advance(6 * 3_600)
    third = await paypal.send("POST", ORDERS, order(), key)

    assert (first[0], first[1]["status"]) == (201, "CREATED")
    assert (second[0], second[1]["status"]) == (200, "COMPLETED")
    assert second[1]["id"] == first[1]["id"] != third[1]["id"]
    assert third[0] == 201


async def test_a_concurrent_duplicate_is_turned_away(paypal: Served) -> None:
    """While a capture runs, its id gets 409; one charge is made."""
    body = await made(paypal)
    await paypal.fault("slow", "confirm", delay_ms=300)
    path, key = f"{ORDERS}/{body['id']}/capture", {"PayPal-Request-Id": "one"}

    answers = await asyncio.gather(
        *(paypal.send("POST", path, vaulted("any"), key) for _ in range(2))
    )

    [refused] = [answer for answer in answers if answer[0] == 409]
    assert issue(refused[1]) == "PREVIOUS_REQUEST_IN_PROGRESS"
    assert await paypal.lines() == [("charge", 1000)]


@pytest.mark.parametrize("kind", ["charge_then_timeout", "connection_reset_after"])
async def test_an_answer_lost_after_the_charge(paypal: Served, kind: str) -> None:
    """The charge is made, the answer never comes, and the same id replays it."""
    body = await made(paypal)
    extra = {"hold_s": 0.1} if kind == "charge_then_timeout" else {}
    await paypal.fault(kind, "confirm", **extra)
    path, key = f"{ORDERS}/{body['id']}/capture", {"PayPal-Request-Id": "one"}

    with pytest.raises(aiohttp.ClientError):
        await paypal.send("POST", path, vaulted("any"), key)
    status, again, _ = await paypal.send("POST", path, vaulted("any"), key)

    assert (status, again["status"]) == (200, "COMPLETED")
    assert await paypal.lines() == [("charge", 1000)]


@pytest.mark.parametrize(
    ("kind", "first", "again"),
    [("error_before", 500, 201), ("error_after", 500, 200), ("rate_limit", 429, 201)],
)
async def test_errors_on_purpose(paypal: Served, kind: str, first: int, again: int) -> None:
    """No error of the server is kept: the same id then executes, or shows what was done."""
    body = await made(paypal)
    await paypal.fault(kind, "confirm")
    path, key = f"{ORDERS}/{body['id']}/capture", {"PayPal-Request-Id": "one"}

    answers = [await paypal.send("POST", path, vaulted("any"), key) for _ in range(2)]

    assert [answer[0] for answer in answers] == [first, again]
    assert await paypal.lines() == [("charge", 1000)]


async def test_a_hold_is_struck_as_confirm_too(paypal: Served) -> None:
    """Faults know /authorize by the same name as /capture of an order."""
    body = await made(paypal, intent="AUTHORIZE")
    await paypal.fault("error_before", "confirm")

    status, _, _ = await paypal.send("POST", f"{ORDERS}/{body['id']}/authorize", vaulted("any"))

    assert status == 500


async def test_lies_are_in_the_answer_only(paypal: Served) -> None:
    """wrong_amount and malformed damage one answer; reading gives the true one."""
    capture = f"/paypal/v2/payments/captures/{await charged(paypal)}"
    path, key = f"{capture}/refund", {"PayPal-Request-Id": "one"}
    for kind in ("wrong_amount", "malformed"):
        await paypal.fault(kind, "refund")

    lie = await paypal.send("POST", path, euros("1.00"), key)
    torn = await paypal.send("POST", path, euros("1.00"), key)
    truth = await paypal.send("POST", path, euros("1.00"), key)

    assert lie[1]["amount"]["value"] == "1.01"
    assert isinstance(torn[1], str)
    assert truth[1]["amount"]["value"] == "1.00"
    assert await paypal.lines() == [("charge", 1000), ("refund", 100)]


async def test_a_restart_finds_everything_again(paypal: Served) -> None:
    """After a restart the id replays, the pending is decided, and untaken events wait."""
    status, body, _ = await pay(paypal, "paypal_pending", key="one")
    assert status == 201

    await paypal.restart()

    path = f"{ORDERS}/{body['id']}/capture"
    again = await paypal.send("POST", path, vaulted("any"), {"PayPal-Request-Id": "one"})
    assert (again[0], again[1]["id"]) == (200, body["id"])
    await paypal.advance(60)
    assert await paypal.lines() == [("charge", 1000)]
    assert told(paypal) == ["PAYMENT.CAPTURE.PENDING", "PAYMENT.CAPTURE.COMPLETED"]


def test_what_was_answered_survives_a_crash(tmp_path: Path) -> None:
    """After kill -9 the record still has each charge that was answered, and its key."""
    path = tmp_path / "record.jsonl"
    request = order(**vaulted("any"))
    with RunningSandbox(path) as sandbox:
        now = float(sandbox.control("GET", "/state")["clock"]["now"])
        headers = {**bearer(now), "PayPal-Request-Id": "one"}
        first, body = sandbox.http("POST", ORDERS, request, headers)
        sandbox.kill()
    with RunningSandbox(path) as sandbox:
        again, same = sandbox.http("POST", ORDERS, request, headers)
        assert (first, again, same["id"]) == (201, 200, body["id"])
        assert sandbox.kinds() == ["charge"]
