"""PayPal's face over HTTP: holds, refunds and payouts."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.unit.sandbox.paypal_face import DAY_S, bearer, charged, euros, held, issue, told
from tests.unit.sandbox.served import Served

PAYOUTS = "/paypal/v1/payments/payouts"


@pytest.fixture
async def paypal(tmp_path: Path) -> AsyncIterator[Served]:
    """A sandbox, called with an access token that outlives the test's clock."""
    served = await Served.start(tmp_path / "record.jsonl", {})
    served.headers = bearer(served.world.clock.now() + 100 * DAY_S)
    yield served
    await served.stop()


async def test_a_hold_is_captured_in_parts(paypal: Served) -> None:
    """Captures add up to the authorization; more than its overage is refused."""
    hold = await held(paypal)

    first = await paypal.send("POST", f"{hold}/capture", euros("4.00"))
    seen = (await paypal.send("GET", hold))[1]["status"]
    over = await paypal.send("POST", f"{hold}/capture", euros("7.51"))
    rest = await paypal.send("POST", f"{hold}/capture")

    assert (first[0], first[1]["status"], seen) == (201, "COMPLETED", "PARTIALLY_CAPTURED")
    assert issue(over[1]) == "MAX_CAPTURE_AMOUNT_EXCEEDED"
    assert rest[1]["amount"]["value"] == "6.00"
    assert await paypal.lines() == [("authorization", 1000), ("capture", 400), ("capture", 600)]
    assert issue((await paypal.send("POST", f"{hold}/capture"))[1]) == (
        "AUTHORIZATION_ALREADY_CAPTURED"
    )
    assert issue((await paypal.send("POST", f"{hold}/void"))[1]) == "PREVIOUSLY_CAPTURED"


async def test_a_hold_is_voided(paypal: Served) -> None:
    """A void is a 204 unless the representation is preferred; then nothing is left to capture."""
    hold = await held(paypal)

    status, body, _ = await paypal.send("POST", f"{hold}/void", headers={"Prefer": ""})

    assert (status, body) == (204, None)
    assert await paypal.lines() == [("authorization", 1000), ("void", 1000)]
    assert issue((await paypal.send("POST", f"{hold}/void"))[1]) == "PREVIOUSLY_VOIDED"
    assert issue((await paypal.send("POST", f"{hold}/capture"))[1]) == "AUTHORIZATION_VOIDED"
    assert told(paypal) == ["PAYMENT.AUTHORIZATION.CREATED", "PAYMENT.AUTHORIZATION.VOIDED"]


async def test_a_hold_expires(paypal: Served) -> None:
    """After 29 days the money is let go by itself."""
    hold = await held(paypal)

    await paypal.advance(29 * DAY_S)

    assert issue((await paypal.send("POST", f"{hold}/capture"))[1]) == "AUTHORIZATION_EXPIRED"
    assert await paypal.lines() == [("authorization", 1000), ("void", 1000)]


async def test_a_hold_is_reauthorized_once_from_day_four(paypal: Served) -> None:
    """A reauthorization is a new id for the same money, which is captured once."""
    hold = await held(paypal)
    early = await paypal.send("POST", f"{hold}/reauthorize")
    assert issue(early[1]) == "REAUTHORIZATION_NOT_SUPPORTED"
    await paypal.advance(4 * DAY_S)

    status, anew, _ = await paypal.send("POST", f"{hold}/reauthorize")
    again = await paypal.send("POST", f"{hold}/reauthorize")
    path = f"/paypal/v2/payments/authorizations/{anew['id']}"

    assert (status, again[0]) == (201, 422)
    assert issue((await paypal.send("POST", f"{path}/void"))[1]) == "CANNOT_BE_VOIDED"
    assert (await paypal.send("POST", f"{path}/capture"))[0] == 201
    assert (await paypal.send("POST", f"{hold}/capture"))[0] == 422
    assert await paypal.lines() == [("authorization", 1000), ("capture", 1000)]


async def test_refunds_stop_at_what_was_taken(paypal: Served) -> None:
    """Parts pass until all is refunded, more is refused; the refund's own id is recorded."""
    capture = f"/paypal/v2/payments/captures/{await charged(paypal)}"
    request = {**euros("6.00"), "custom_id": "ref_1"}

    first = await paypal.send("POST", f"{capture}/refund", request)
    over = await paypal.send("POST", f"{capture}/refund", euros("4.01"))
    wrong = await paypal.send("POST", f"{capture}/refund", euros("1.00", "USD"))
    rest = await paypal.send("POST", f"{capture}/refund")
    none = await paypal.send("POST", f"{capture}/refund")

    assert (first[0], first[1]["status"], first[1]["custom_id"]) == (201, "COMPLETED", "ref_1")
    assert issue(over[1]) == "REFUND_AMOUNT_EXCEEDED"
    assert issue(wrong[1]) == "REFUND_CAPTURE_CURRENCY_MISMATCH"
    assert rest[1]["amount"]["value"] == "4.00"
    assert issue(none[1]) == "CAPTURE_FULLY_REFUNDED"
    assert (await paypal.send("GET", capture))[1]["status"] == "REFUNDED"
    assert await paypal.lines("?metadata.attempt_id=ref_1") == [("refund", 600)]
    assert told(paypal)[1:] == ["PAYMENT.CAPTURE.REFUNDED"] * 2


async def test_a_source_can_refuse_what_comes_later(paypal: Served) -> None:
    """The payment succeeds, its capture or refund is refused and moves nothing."""
    hold = await held(paypal, "paypal_capture_refused")
    capture = f"/paypal/v2/payments/captures/{await charged(paypal, 'paypal_refund_refused')}"

    captured = await paypal.send("POST", f"{hold}/capture")
    refunded = await paypal.send("POST", f"{capture}/refund")

    assert (issue(captured[1]), issue(refunded[1])) == ("TRANSACTION_REFUSED", "REFUND_NOT_ALLOWED")
    assert await paypal.lines() == [("authorization", 1000), ("charge", 1000)]


async def test_over_refund_can_be_let_through(paypal: Served) -> None:
    """With the switch on, the caller's own guard is the only one."""
    capture = f"/paypal/v2/payments/captures/{await charged(paypal)}"
    await paypal.send("POST", "/control/over_refund", {"over_refund": True})

    await paypal.send("POST", f"{capture}/refund", euros("15.00"))

    assert await paypal.lines() == [("charge", 1000), ("refund", 1500)]


@pytest.mark.parametrize(
    ("token", "seconds", "status", "kinds"),
    [
        ("paypal_refund_pending", 60, "COMPLETED", ["charge", "refund"]),
        ("paypal_refund_fails", 3 * DAY_S, "FAILED", ["charge", "refund", "refund_failed"]),
    ],
)
async def test_refunds_that_take_their_time(
    paypal: Served, token: str, seconds: int, status: str, kinds: list[str]
) -> None:
    """A pending refund arrives or fails later."""
    capture = f"/paypal/v2/payments/captures/{await charged(paypal, token)}"
    _, refund, _ = await paypal.send("POST", f"{capture}/refund")
    assert refund["status"] == "PENDING"

    await paypal.advance(seconds)

    read = await paypal.send("GET", f"/paypal/v2/payments/refunds/{refund['id']}")
    assert read[1]["status"] == status
    assert [kind for kind, _ in await paypal.lines()] == kinds


async def test_payouts(paypal: Served) -> None:
    """Items are paid, fail or wait for their receiver; the same batch id links to the first."""
    items = [
        {
            "receiver": f"{name}@x.example",
            "amount": {"currency": "EUR", "value": "5.00"},
            "sender_item_id": f"pout_{name}",
        }
        for name in ("ada", "failed", "unclaimed", "returned")
    ]
    request = {"sender_batch_header": {"sender_batch_id": "batch_1"}, "items": items}

    status, made, _ = await paypal.send("POST", PAYOUTS, request)
    batch = f"{PAYOUTS}/{made['batch_header']['payout_batch_id']}"
    refused = await paypal.send("POST", PAYOUTS, request)
    await paypal.advance(1)
    _, read, _ = await paypal.send("GET", batch)

    assert (status, made["batch_header"]["batch_status"]) == (201, "PENDING")
    assert (refused[0], refused[1]["name"]) == (400, "USER_BUSINESS_ERROR")
    assert urlsplit(refused[1]["links"][0]["href"]).path == batch
    statuses = [item["transaction_status"] for item in read["items"]]
    assert statuses == ["SUCCESS", "FAILED", "UNCLAIMED", "SUCCESS"]
    item = f"{PAYOUTS}-item/{read['items'][0]['payout_item_id']}"
    assert (await paypal.send("GET", item))[1] == read["items"][0]
    await paypal.advance(30 * DAY_S)
    assert await paypal.lines("?metadata.attempt_id=pout_ada") == [("payout", 500)]
    for name in ("unclaimed", "returned"):
        back = await paypal.lines(f"?metadata.attempt_id=pout_{name}")
        assert back == [("payout", 500), ("payout_failed", 500)]
    assert (await paypal.send("POST", PAYOUTS, request))[0] == 201
