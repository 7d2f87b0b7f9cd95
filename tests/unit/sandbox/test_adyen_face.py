"""Adyen's face over HTTP: payments, keys, buyers, links, transfers, faults, restarts."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from tests.unit.sandbox.adyen_face import CREDENTIALS, ORDER, PAYMENTS, events, order, pay, told
from tests.unit.sandbox.running import RunningSandbox
from tests.unit.sandbox.served import Served


@pytest.fixture
async def adyen(tmp_path: Path) -> AsyncIterator[Served]:
    """A sandbox, called with an API key."""
    served = await Served.start(tmp_path / "record.jsonl", CREDENTIALS)
    yield served
    await served.stop()


async def test_an_unknown_method_is_charged(adyen: Served) -> None:
    """A payment is Authorised, in the record with our ids, and told by a webhook."""
    body = await pay(adyen)

    assert body["resultCode"] == "Authorised"
    assert body["merchantReference"] == "att_1"
    assert body["amount"] == {"value": 1000, "currency": "EUR"}
    assert await adyen.lines("?metadata.attempt_id=att_1") == [("charge", 1000)]
    assert await adyen.lines("?metadata.payment_id=pay_1") == [("charge", 1000)]
    [event] = events(adyen)
    item = event.body["notificationItems"][0]["NotificationRequestItem"]
    assert (event.psp, event.event_type) == ("adyen", "AUTHORISATION")
    assert item["pspReference"] == body["pspReference"]
    assert item["merchantReference"] == "att_1"
    assert item["amount"] == {"value": 1000, "currency": "EUR"}
    assert item["success"] == "true"


@pytest.mark.parametrize(
    ("token", "result", "code", "lines"),
    [
        ("adyen_refused_2", "Refused", "2", [("decline", 1000)]),
        ("adyen_refused_46", "Refused", "46", [("decline", 1000)]),
        ("adyen_error", "Error", "4", [("decline", 1000)]),
        ("adyen_pending", "Pending", None, []),
        ("adyen_partial", "PartiallyAuthorised", None, [("charge", 500)]),
    ],
)
async def test_outcomes(
    adyen: Served, token: str, result: str, code: str | None, lines: list[tuple[str, int]]
) -> None:
    """The stored method selects the result and what is recorded."""
    body = await pay(adyen, token)

    assert body["resultCode"] == result
    assert body.get("refusalReasonCode") == code
    assert await adyen.lines() == lines


async def test_a_test_card_selects_too(adyen: Served) -> None:
    """An encryptedCardNumber test_… stands for the stored method behind it."""
    request = order(paymentMethod={"type": "scheme", "encryptedCardNumber": "test_adyen_refused_6"})

    _, body, _ = await adyen.send("POST", PAYMENTS, request)

    assert body["refusalReason"] == "Expired Card"


@pytest.mark.parametrize(
    ("token", "lines"),
    [("adyen_pending", [("charge", 1000)]), ("adyen_pending_refused", [("decline", 1000)])],
)
async def test_pending_is_decided_later(
    adyen: Served, token: str, lines: list[tuple[str, int]]
) -> None:
    """A pending payment is decided a minute later, and told by a webhook."""
    await pay(adyen, token)
    assert told(adyen) == []

    await adyen.advance(60)

    assert await adyen.lines() == lines
    assert [code for code, _ in told(adyen)] == ["AUTHORISATION"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"reference": ""}, "130"),
        ({"merchantAccount": None}, "901"),
        ({"amount": None}, "100"),
        ({"amount": {"value": -1, "currency": "EUR"}}, "137"),
        ({"amount": {"value": 1, "currency": "ZZZ"}}, "138"),
    ],
)
async def test_validation(adyen: Served, fields: dict[str, object], code: str) -> None:
    """A wrong request is a 422 in Adyen's shape, and nothing happens."""
    status, body, _ = await adyen.send("POST", PAYMENTS, {**ORDER, **fields})

    assert status == 422
    assert (body["status"], body["errorCode"], body["errorType"]) == (422, code, "validation")
    assert set(body) == {"status", "errorCode", "message", "errorType"}
    assert await adyen.lines() == []


@pytest.mark.parametrize("key", ["", "live_key"])
async def test_credentials(adyen: Served, key: str) -> None:
    """Without a test key it is a 401 in Adyen's shape."""
    status, body, _ = await adyen.send("POST", PAYMENTS, ORDER, {"X-API-Key": key})

    assert (status, body["errorCode"], body["errorType"]) == (401, "000", "security")


async def test_the_first_answer_is_replayed(adyen: Served) -> None:
    """The same key gives the same answer and one charge, for seven days."""
    key = {"idempotency-key": "one"}

    first = await adyen.send("POST", PAYMENTS, ORDER, key)
    second = await adyen.send("POST", PAYMENTS, ORDER, key)
    await adyen.advance(7 * 86_400)
    third = await adyen.send("POST", PAYMENTS, ORDER, key)

    assert first[1] == second[1] != third[1]
    assert second[2]["idempotency-key"] == "one"
    assert await adyen.lines() == [("charge", 1000)] * 2


async def test_a_concurrent_duplicate_is_turned_away(adyen: Served) -> None:
    """While a call runs, its key gets 422 with 704 and the transient mark; one charge is made."""
    await adyen.fault("slow", "confirm", delay_ms=300)
    key = {"idempotency-key": "one"}

    answers = await asyncio.gather(*(adyen.send("POST", PAYMENTS, ORDER, key) for _ in range(2)))

    [refused] = [answer for answer in answers if answer[0] == 422]
    assert refused[1]["errorCode"] == "704"
    assert refused[2]["transient-error"] == "true"
    assert await adyen.lines() == [("charge", 1000)]


async def test_a_long_key_is_refused(adyen: Served) -> None:
    """A key has at most 64 characters."""
    status, _, _ = await adyen.send("POST", PAYMENTS, ORDER, {"idempotency-key": "k" * 65})

    assert status == 422


@pytest.mark.parametrize(
    ("token", "lines"),
    [("adyen_ioexception", []), ("adyen_ioexception_charged", [("charge", 1000)])],
)
async def test_an_io_exception_is_final(
    adyen: Served, token: str, lines: list[tuple[str, int]]
) -> None:
    """The 500 stays under the key without a transient mark, whether charged or not."""
    for _ in range(2):
        answer = await adyen.send("POST", PAYMENTS, order(token), {"idempotency-key": "one"})
        assert answer[0] == 500
        assert "transient-error" not in answer[2]

    assert await adyen.lines() == lines


async def test_no_connection_leaves_the_key_alone(adyen: Served) -> None:
    """The 500 is marked transient, and the key is as new."""
    key = {"idempotency-key": "one"}

    status, _, headers = await adyen.send("POST", PAYMENTS, order("adyen_no_connection"), key)
    again, _, _ = await adyen.send("POST", PAYMENTS, ORDER, key)

    assert (status, headers["transient-error"], again) == (500, "true", 200)


@pytest.mark.parametrize(
    ("token", "result", "code", "kind"),
    [
        ("adyen_redirect", "complete", "Authorised", "charge"),
        ("adyen_redirect", "fail", "Refused", "decline"),
        ("adyen_redirect_refused", "complete", "Refused", "decline"),
    ],
)
async def test_a_buyer_authenticates(
    adyen: Served, token: str, result: str, code: str, kind: str
) -> None:
    """The page sends the buyer back with a redirectResult, and /payments/details decides once."""
    body = await pay(adyen, token)
    page = urlsplit(body["action"]["url"]).path
    assert body["resultCode"] == "RedirectShopper"
    assert "Complete authentication" in (await adyen.send("GET", page))[1]

    form = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _, headers = await adyen.send("POST", page, f"result={result}".encode(), form)
    back = urlsplit(headers["Location"])
    query = parse_qs(back.query)
    assert (status, back.netloc, query["order"]) == (303, "shop.example", ["1"])
    assert await adyen.lines() == []

    details = {"details": {"redirectResult": query["redirectResult"][0]}}
    for _ in range(2):
        _, completed, _ = await adyen.send("POST", f"{PAYMENTS}/details", details)
        assert (completed["resultCode"], completed["merchantReference"]) == (code, "att_1")
    assert await adyen.lines() == [(kind, 1000)]


async def test_details_before_the_buyer_came_back(adyen: Served) -> None:
    """A redirectResult that nobody was given is a 422."""
    body = await pay(adyen, "adyen_redirect")

    details = {"details": {"redirectResult": f"{body['pspReference']}.GUESSED"}}
    status, refused, _ = await adyen.send("POST", f"{PAYMENTS}/details", details)

    assert (status, refused["errorCode"]) == (422, "14_018")


async def test_links_are_paid_and_expire(adyen: Served) -> None:
    """A link is active, then completed by its page; another one expires by request or by time."""
    links = "/adyen/v71/paymentLinks"
    made = [(await adyen.send("POST", links, ORDER))[1] for _ in range(3)]
    assert [link["status"] for link in made] == ["active"] * 3

    await adyen.send("POST", urlsplit(made[0]["url"]).path)
    await adyen.send("PATCH", f"{links}/{made[1]['id']}", {"status": "expired"})
    await adyen.advance(86_400)

    read = [(await adyen.send("GET", f"{links}/{link['id']}"))[1]["status"] for link in made]
    assert read == ["completed", "expired", "expired"]
    assert await adyen.lines("?metadata.attempt_id=att_1") == [("charge", 1000)]


@pytest.mark.parametrize(
    ("instrument", "statuses", "kinds"),
    [
        ("SE1", ["authorised", "booked", "booked"], ["payout"]),
        ("adyen_transfer_failed", ["authorised", "failed", "failed"], []),
        (
            "adyen_transfer_returned",
            ["authorised", "booked", "returned"],
            ["payout", "payout_failed"],
        ),
        ("adyen_transfer_refused", ["refused", "refused", "refused"], []),
    ],
)
async def test_transfers(
    adyen: Served, instrument: str, statuses: list[str], kinds: list[str]
) -> None:
    """A transfer is authorised, then booked or not, and can come back."""
    request = {
        "amount": {"value": 700, "currency": "EUR"},
        "category": "bank",
        "counterparty": {"transferInstrumentId": instrument},
        "reference": "pout_1",
    }
    _, made, _ = await adyen.send("POST", "/adyen/v4/transfers", request)
    seen = [made["status"]]
    for seconds in (1, 3 * 86_400):
        await adyen.advance(seconds)
        seen.append((await adyen.send("GET", f"/adyen/v4/transfers/{made['id']}"))[1]["status"])

    assert seen == statuses
    assert [kind for kind, _ in await adyen.lines("?metadata.attempt_id=pout_1")] == kinds


@pytest.mark.parametrize("kind", ["charge_then_timeout", "connection_reset_after"])
async def test_an_answer_lost_after_the_charge(adyen: Served, kind: str) -> None:
    """The charge is made, the answer never comes, and the same key replays it."""
    extra = {"hold_s": 0.1} if kind == "charge_then_timeout" else {}
    await adyen.fault(kind, "confirm", **extra)
    key = {"idempotency-key": "one"}

    with pytest.raises(aiohttp.ClientError):
        await adyen.send("POST", PAYMENTS, ORDER, key)
    status, body, _ = await adyen.send("POST", PAYMENTS, ORDER, key)

    assert (status, body["resultCode"]) == (200, "Authorised")
    assert await adyen.lines() == [("charge", 1000)]


@pytest.mark.parametrize(
    ("kind", "fields", "lines", "again"),
    [
        ("error_before", {}, [], 500),
        ("error_before", {"cached": False}, [("charge", 1000)], 200),
        ("error_after", {}, [("charge", 1000)], 500),
        ("rate_limit", {"retry_after_s": 3}, [("charge", 1000)], 200),
    ],
)
async def test_errors_on_purpose(
    adyen: Served, kind: str, fields: dict[str, object], lines: list[tuple[str, int]], again: int
) -> None:
    """A 500 is final under its key unless it says that it is transient; a 429 is never kept."""
    await adyen.fault(kind, "confirm", **fields)
    key = {"idempotency-key": "one"}

    first, _, headers = await adyen.send("POST", PAYMENTS, ORDER, key)
    second, _, _ = await adyen.send("POST", PAYMENTS, ORDER, key)

    assert (first, second) == (429 if kind == "rate_limit" else 500, again)
    assert ("transient-error" in headers) is (fields == {"cached": False})
    assert await adyen.lines() == lines
    limited = await adyen.lines("?kind=limited")
    assert limited == ([("limited", 0)] if kind == "rate_limit" else [])


@pytest.mark.parametrize("path", [PAYMENTS, "/adyen/3ds/P1", "/paypal/approve/O1"])
async def test_darkness_hangs_up(adyen: Served, path: str) -> None:
    """While it is dark neither calls nor pages are answered."""
    await adyen.send("POST", "/control/dark", {"dark": True})

    with pytest.raises(aiohttp.ClientError):
        await adyen.send("POST", path, ORDER)
    assert await adyen.lines("?kind=all") == []


async def test_lies_are_in_the_answer_only(adyen: Served) -> None:
    """wrong_amount and malformed damage one answer; the key keeps the true one."""
    key = {"idempotency-key": "one"}
    for kind in ("wrong_amount", "malformed"):
        await adyen.fault(kind, "confirm")

    lie = await adyen.send("POST", PAYMENTS, ORDER, key)
    torn = await adyen.send("POST", PAYMENTS, ORDER, key)
    truth = await adyen.send("POST", PAYMENTS, ORDER, key)

    assert lie[1]["amount"]["value"] == 1001
    assert isinstance(torn[1], str)
    assert truth[1]["amount"]["value"] == 1000
    assert await adyen.lines() == [("charge", 1000)]


async def test_a_restart_finds_everything_again(adyen: Served) -> None:
    """After a restart the key replays, what was taken in is carried out, and events wait."""
    key = {"idempotency-key": "one"}
    _, body, _ = await adyen.send("POST", PAYMENTS, ORDER, key)
    assert told(adyen) == [("AUTHORISATION", "true")]
    request = {"merchantAccount": "Shop", "amount": ORDER["amount"]}
    await adyen.send("POST", f"{PAYMENTS}/{body['pspReference']}/refunds", request)

    await adyen.restart()

    assert (await adyen.send("POST", PAYMENTS, ORDER, key))[1] == body
    await adyen.advance(1)
    assert await adyen.lines() == [("charge", 1000), ("refund", 1000)]
    assert told(adyen) == [("REFUND", "true")]


def test_what_was_answered_survives_a_crash(tmp_path: Path) -> None:
    """After kill -9 the record still has each charge that was answered, and its key."""
    path = tmp_path / "record.jsonl"
    headers = {**CREDENTIALS, "idempotency-key": "one"}
    with RunningSandbox(path) as sandbox:
        _, body = sandbox.http("POST", PAYMENTS, ORDER, headers)
        sandbox.kill()
    with RunningSandbox(path) as sandbox:
        assert sandbox.http("POST", PAYMENTS, ORDER, headers) == (200, body)
        assert sandbox.kinds() == ["charge"]
