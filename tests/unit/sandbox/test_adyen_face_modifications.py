"""Adyen's face over HTTP: captures, cancels, refunds and reversals come later, by webhook."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.sandbox.adyen_face import (
    CREDENTIALS,
    ORDER,
    PAYMENTS,
    events,
    held,
    modify,
    pay,
    told,
)
from tests.unit.sandbox.served import Served


@pytest.fixture
async def adyen(tmp_path: Path) -> AsyncIterator[Served]:
    """A sandbox, called with an API key."""
    served = await Served.start(tmp_path / "record.jsonl", CREDENTIALS)
    yield served
    await served.stop()


async def test_a_capture_comes_later(adyen: Served) -> None:
    """A capture is received first; the webhook names both references when it is made."""
    payment = await held(adyen)
    events(adyen)

    body = await modify(adyen, payment, "captures", 600)

    assert body["paymentPspReference"] == payment
    assert await adyen.lines() == [("authorization", 1000), ("capture", 600)]
    [event] = events(adyen)
    item = event.body["notificationItems"][0]["NotificationRequestItem"]
    assert (item["eventCode"], item["success"]) == ("CAPTURE", "true")
    assert (item["originalReference"], item["pspReference"]) == (payment, body["pspReference"])
    assert item["merchantReference"] == "captures_1"


async def test_too_large_a_capture_is_told_by_webhook(adyen: Served) -> None:
    """Over the authorised amount nothing moves, and the webhook's success is false."""
    payment = await held(adyen)

    await modify(adyen, payment, "captures", 1001)

    assert await adyen.lines() == [("authorization", 1000)]
    assert told(adyen)[1:] == [("CAPTURE", "false")]


async def test_a_capture_can_fail_after_its_success(adyen: Served) -> None:
    """CAPTURE with success true can be followed by CAPTURE_FAILED."""
    payment = await held(adyen, "adyen_capture_fails")

    await modify(adyen, payment, "captures")
    await adyen.advance(3 * 86_400)

    assert [kind for kind, _ in await adyen.lines()][1:] == ["capture", "capture_failed"]
    assert told(adyen)[1:] == [("CAPTURE", "true"), ("CAPTURE_FAILED", "true")]


@pytest.mark.parametrize(
    ("token", "manual", "what", "told_as"),
    [
        ("adyen_capture_refused", "true", "captures", ("CAPTURE", "false")),
        ("adyen_refund_refused", "false", "refunds", ("REFUND", "false")),
    ],
)
async def test_a_method_can_refuse_what_comes_later(
    adyen: Served, token: str, manual: str, what: str, told_as: tuple[str, str]
) -> None:
    """The payment succeeds, its capture or refund is told as failed and moves nothing."""
    body = await pay(adyen, token, additionalData={"manualCapture": manual})

    await modify(adyen, body["pspReference"], what)

    assert len(await adyen.lines()) == 1
    assert told(adyen)[1:] == [told_as]


async def test_a_cancel_voids_what_is_held(adyen: Served) -> None:
    """CANCELLATION succeeds before a capture; then no capture does."""
    payment = await held(adyen)

    await modify(adyen, payment, "cancels")
    await modify(adyen, payment, "captures")

    assert await adyen.lines() == [("authorization", 1000), ("void", 1000)]
    assert told(adyen)[1:] == [("CANCELLATION", "true"), ("CAPTURE", "false")]


async def test_a_captured_payment_is_not_cancelled(adyen: Served) -> None:
    """CANCELLATION of captured money fails."""
    body = await pay(adyen)

    await modify(adyen, body["pspReference"], "cancels")

    assert told(adyen)[1:] == [("CANCELLATION", "false")]
    assert await adyen.lines() == [("charge", 1000)]


async def test_refunds_stop_at_what_was_taken(adyen: Served) -> None:
    """Two partial refunds pass, the third is told as failed."""
    payment = (await pay(adyen))["pspReference"]

    for _ in range(3):
        await modify(adyen, payment, "refunds", 500)

    assert await adyen.lines() == [("charge", 1000), ("refund", 500), ("refund", 500)]
    assert [success for _, success in told(adyen)[1:]] == ["true", "true", "false"]
    assert await adyen.lines("?metadata.attempt_id=refunds_1") == [("refund", 500)] * 2


async def test_over_refund_can_be_let_through(adyen: Served) -> None:
    """With the switch on, the caller's own guard is the only one."""
    payment = (await pay(adyen))["pspReference"]
    await adyen.send("POST", "/control/over_refund", {"over_refund": True})

    await modify(adyen, payment, "refunds", 1500)

    assert await adyen.lines() == [("charge", 1000), ("refund", 1500)]


async def test_a_refund_can_fail_later(adyen: Served) -> None:
    """REFUND with success true can be followed by REFUND_FAILED."""
    payment = (await pay(adyen, "adyen_refund_fails"))["pspReference"]

    await modify(adyen, payment, "refunds")
    await adyen.advance(3 * 86_400)

    assert [kind for kind, _ in await adyen.lines()][1:] == ["refund", "refund_failed"]
    assert told(adyen)[1:] == [("REFUND", "true"), ("REFUND_FAILED", "true")]


@pytest.mark.parametrize(("manual", "kind"), [("true", "void"), ("false", "refund")])
async def test_a_reversal_does_what_is_left(adyen: Served, manual: str, kind: str) -> None:
    """A reversal voids what is held and gives back what was taken."""
    body = await pay(adyen, additionalData={"manualCapture": manual})

    await modify(adyen, body["pspReference"], "reversals")

    assert (await adyen.lines())[1:] == [(kind, 1000)]
    assert told(adyen)[1:] == [("CANCEL_OR_REFUND", "true")]


async def test_a_payment_is_cancelled_by_our_reference(adyen: Served) -> None:
    """POST /cancels finds the payment by its reference, and is received for unknown ones too."""
    await held(adyen)

    for reference in ("att_1", "att_unknown"):
        request = {"merchantAccount": "Shop", "paymentReference": reference}
        status, body, _ = await adyen.send("POST", "/adyen/v71/cancels", request)
        assert (status, body["paymentReference"]) == (201, reference)
    await adyen.advance(1)

    assert await adyen.lines() == [("authorization", 1000), ("void", 1000)]
    assert told(adyen)[1:] == [("TECHNICAL_CANCEL", "true"), ("TECHNICAL_CANCEL", "false")]


async def test_an_unknown_payment_cannot_be_modified(adyen: Served) -> None:
    """A modification of no payment is a 422 at once."""
    status, body, _ = await adyen.send("POST", f"{PAYMENTS}/NONE/cancels", ORDER)

    assert (status, body["errorCode"]) == (422, "167")


async def test_a_delayed_capture_makes_itself(adyen: Served) -> None:
    """With captureDelayHours the authorised amount is captured when they have passed."""
    await pay(adyen, captureDelayHours=2)
    assert await adyen.lines() == [("authorization", 1000)]

    await adyen.advance(2 * 3_600)

    assert await adyen.lines() == [("authorization", 1000), ("capture", 1000)]
