"""The requests that PayPal is sent to capture, void and refund: none twice, and none blindly."""

from dataclasses import replace
from typing import Any

import pytest

from psp_gateway.domain.answer import Verdict
from psp_gateway.domain.attempt import Delivery, Outcome
from psp_gateway.domain.reasons import Reason
from psp_gateway.providers.paypal.client import key_of
from tests.unit.psp_gateway.paypal import held, money, order, paid, payment
from tests.unit.psp_gateway.paypal_attempts import GIVEN, OURS, capture, refund, void
from tests.unit.psp_gateway.paypal_calls import (
    GONE,
    NO_BODY,
    ORDER,
    SERVER_ERROR,
    Ask,
    answering,
    good,
    outcome,
)
from tests.unit.psp_gateway.wire import HANG
from tests.unit.psp_gateway.wire import answer as written


async def test_a_capture_names_the_authorization() -> None:
    """The order leads to what is held; the rest of it is let go."""
    taken = {**OURS, "amount": money("40.00")}
    async with answering(good(held(), 200), good(taken)) as paypal:
        told = await paypal.provider.capture_charge(capture("40.00"), key="att_capture1:capture")

    assert outcome(told) == (Outcome.SUCCEEDED, None)
    assert paypal.lines == [f"GET {ORDER}", "POST /v2/payments/authorizations/0VF/capture"]
    assert paypal.body == {
        "amount": money("40.00"),
        "invoice_id": "att_capture1",
        "final_capture": True,
    }
    assert paypal.last.headers["paypal-request-id"] == key_of("att_capture1:capture")


@pytest.mark.parametrize("voided", [NO_BODY, good(payment(id="0VF", status="VOIDED"), 200)])
async def test_a_void_is_read_after_it(voided: bytes) -> None:
    """PayPal may answer nothing to it; what came of it is in the order."""
    after = good(held(status="VOIDED"), 200)
    async with answering(good(held(), 200), voided, after) as paypal:
        told = await paypal.provider.void_charge(void(), key="att_void1:void")

    assert outcome(told) == (Outcome.SUCCEEDED, None)
    middle = "POST /v2/payments/authorizations/0VF/void"
    assert paypal.lines == [f"GET {ORDER}", middle, f"GET {ORDER}"]


@pytest.mark.parametrize("after", [SERVER_ERROR, GONE, HANG, b"", written({}, status=429)])
async def test_a_void_whose_end_cannot_be_read_is_unknown(after: bytes) -> None:
    """It was sent: a look that fails then does not make it unsent, or refused."""
    async with answering(good(held(), 200), NO_BODY, after) as paypal:
        told = await paypal.provider.void_charge(void(), key="k")

    assert outcome(told) == (Outcome.UNKNOWN, Reason.NO_USABLE_ANSWER)


async def test_a_refund_names_the_capture() -> None:
    """The order leads to what was taken."""
    async with answering(good(paid(), 200), good(GIVEN)) as paypal:
        told = await paypal.provider.refund_charge(refund(), key="att_refund1:refund")

    assert isinstance(told, Verdict)
    assert (told.outcome, told.reference) == (Outcome.SUCCEEDED, "1JU")
    assert paypal.lines == [f"GET {ORDER}", "POST /v2/payments/captures/3C6/refund"]
    assert paypal.body == {
        "amount": money(),
        "invoice_id": "att_refund1",
        "custom_id": "att_refund1",
    }


async def test_a_refund_of_what_was_captured_later() -> None:
    """Of a hold, what was captured is given back."""
    body = held(OURS | {"id": "9XK"}, payment(id="1", status="DECLINED"), status="CAPTURED")
    async with answering(good(body, 200), good(GIVEN)) as paypal:
        told = await paypal.provider.refund_charge(refund(), key="k")

    assert outcome(told) == (Outcome.SUCCEEDED, None)
    assert paypal.lines[-1] == "POST /v2/payments/captures/9XK/refund"


ONCE: dict[str, tuple[Ask, Any]] = {
    "captured": (
        lambda provider: provider.capture_charge(capture(), key="k"),
        held(OURS, status="CAPTURED"),
    ),
    "voided": (lambda provider: provider.void_charge(void(), key="k"), held(status="VOIDED")),
    "refunded": (
        lambda provider: provider.refund_charge(refund(), key="k"),
        order(unit={"payments": {"captures": [payment()], "refunds": [GIVEN]}}),
    ),
}


@pytest.mark.parametrize(("ask", "body"), ONCE.values(), ids=ONCE)
async def test_what_is_done_is_not_done_again(ask: Ask, body: Any) -> None:
    """What an earlier request did is seen before another is sent, however old its key."""
    async with answering(good(body, 200)) as paypal:
        told = await ask(paypal.provider)

    assert outcome(told) == (Outcome.SUCCEEDED, None)
    assert paypal.lines == [f"GET {ORDER}"]


MOVES: list[Ask] = [ask for ask, _ in ONCE.values()]
SILENT: dict[str, bytes] = {
    "error": SERVER_ERROR,
    "silence": HANG,
    "hung up": b"",
    "none": good({}),
}


@pytest.mark.parametrize("ask", MOVES, ids=ONCE)
@pytest.mark.parametrize("said", SILENT.values(), ids=SILENT)
async def test_nothing_is_sent_when_the_order_cannot_be_read(said: bytes, ask: Ask) -> None:
    """A look that fails beforehand leaves what moves money unsent, and says so."""
    async with answering(said) as paypal:
        told = await ask(paypal.provider)

    assert isinstance(told, Verdict)
    assert (told.outcome, told.delivery) == (Outcome.TRANSIENT, Delivery.NOT_SENT)
    assert told.about_request
    assert set(paypal.lines) == {f"GET {ORDER}"}  # aiohttp reads again where it is hung up on


@pytest.mark.parametrize(
    ("ask", "before"),
    [(MOVES[0], held()), (MOVES[1], held()), (MOVES[2], paid())],
    ids=ONCE,
)
@pytest.mark.parametrize("said", [SERVER_ERROR, HANG, b""], ids=["error", "silence", "hung up"])
async def test_what_was_sent_and_not_answered_is_unknown(
    said: bytes, ask: Ask, before: Any
) -> None:
    """The money may have moved."""
    async with answering(good(before, 200), said) as paypal:
        told = await ask(paypal.provider)

    assert outcome(told) == (Outcome.UNKNOWN, Reason.NO_USABLE_ANSWER)
    assert len(paypal.lines) == 2


@pytest.mark.parametrize("captures", [[], [payment(id="1"), payment(id="2")]])
async def test_an_order_without_one_capture_is_not_refunded(captures: list[Any]) -> None:
    """Which of several, or what of none, is not for us to choose."""
    body = order(unit={"payments": {"captures": captures}})
    async with answering(good(body, 200)) as paypal:
        told = await paypal.provider.refund_charge(refund(), key="k")

    assert isinstance(told, Verdict)
    assert (told.outcome, told.delivery) == (Outcome.TRANSIENT, Delivery.NOT_SENT)


async def test_a_capture_that_came_late_is_known_by_the_one_that_was_given_up() -> None:
    """Of several captures PayPal has the name that it was asked for."""
    captures = [payment(id="1", invoice_id="att_c1"), payment(id="2", invoice_id="att_c2")]
    body = order(unit={"payments": {"captures": captures}})
    late = replace(refund(), charge_attempt_id="att_c2l1")
    async with answering(good(body, 200), SERVER_ERROR) as paypal:
        await paypal.provider.refund_charge(late, key="k")

    assert paypal.lines[1] == "POST /v2/payments/captures/2/refund"
