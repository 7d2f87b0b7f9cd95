"""The requests that PayPal is sent, in which order, and what is made of their answers."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
import structlog

from chassis.money import Money
from psp_gateway.domain.answer import Absent, Answer, Created, Verdict
from psp_gateway.domain.attempt import Attempt, Delivery, Outcome, Stage
from psp_gateway.domain.reasons import Reason
from psp_gateway.providers.paypal.client import key_of
from psp_gateway.providers.paypal.provider import CAPABILITIES, PayPalProvider
from tests.unit.psp_gateway.paypal import (
    calls_of,
    error,
    held,
    money,
    opened,
    order,
    page,
    paid,
    payment,
    script_of,
)
from tests.unit.psp_gateway.test_paypal_mapping import (
    GIVEN,
    OURS,
    capture,
    charge,
    hold,
    refund,
    void,
)
from tests.unit.psp_gateway.test_take_further import new_charge, new_hold
from tests.unit.psp_gateway.wire import HANG, Request, Wire, patience_s, scripted
from tests.unit.psp_gateway.wire import answer as written

ORDER = "/v2/checkout/orders/5O1"
PAGE = "https://pay.example/5O1"
NO_BODY = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
SERVER_ERROR = written(error("INTERNAL_SERVER_ERROR"), status=500)
GONE = written(error("RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID"), status=404)

Ask = Callable[[PayPalProvider], Any]


@dataclass
class PayPal:
    """The provider, and what it sent."""

    provider: PayPalProvider
    wire: Wire

    @property
    def lines(self) -> list[str]:
        """List the calls but for the fetches of tokens: "GET /v2/…"."""
        return [request.line.removesuffix(" HTTP/1.1") for request in calls_of(self.wire)]

    @property
    def last(self) -> Request:
        """The last call."""
        return calls_of(self.wire)[-1]

    @property
    def body(self) -> Any:
        """The body of the last call."""
        return json.loads(self.last.body)


@asynccontextmanager
async def answering(*answers: bytes, **urls: str) -> AsyncIterator[PayPal]:
    """Answer the calls one after the other, and hang up on more."""
    said = iter(answers)
    async with (
        scripted(script_of(lambda _: next(said, b""))) as wire,
        opened(wire.url, timeout_s=patience_s(*answers)) as client,
    ):
        yield PayPal(PayPalProvider(client, **urls), wire)


def good(body: Any, status: int = 201) -> bytes:
    """Write an answer."""
    return written(body, status=status)


def outcome(answer: Answer) -> tuple[Outcome, Reason | None]:
    """Name what a verdict says."""
    assert isinstance(answer, Verdict)
    return answer.outcome, answer.reason


@pytest.mark.parametrize(
    ("attempt", "intent"), [(new_charge(), "CAPTURE"), (new_hold(), "AUTHORIZE")]
)
async def test_the_create_says_what_is_asked_and_no_more(attempt: Attempt, intent: str) -> None:
    """Our id goes along; nothing that pays is in it."""
    async with answering(good(order(intent=intent))) as paypal:
        made = await paypal.provider.create_charge(attempt, token="vault1", key="att_1:create")

    assert made == Created("5O1", "201")
    assert paypal.lines == ["POST /v2/checkout/orders"]
    assert paypal.body == {
        "intent": intent,
        "purchase_units": [
            {
                "reference_id": "default",
                "custom_id": "att_1",
                "invoice_id": "att_1",
                "amount": money(),
            }
        ],
    }
    assert paypal.last.headers["paypal-request-id"] == key_of("att_1:create")


async def test_a_create_for_a_buyer_who_is_to_agree() -> None:
    """PayPal learns where he comes back to, and the shop by the way back which charge it is."""
    urls = {"return_url": "https://shop.example/back?a=b", "cancel_url": "https://shop.example/no"}
    async with answering(good(order()), **urls) as paypal:
        await paypal.provider.create_charge(new_charge(), token="approval", key="k")

    assert paypal.body["payment_source"] == {
        "paypal": {
            "experience_context": {
                "return_url": "https://shop.example/back?a=b&attempt_id=att_1",
                "cancel_url": "https://shop.example/no?attempt_id=att_1",
                "user_action": "PAY_NOW",
            }
        }
    }


@pytest.mark.parametrize(
    ("token", "source"),
    [
        ("card:8kk8451t", {"card": {"vault_id": "8kk8451t"}}),
        ("8kk8451t", {"paypal": {"vault_id": "8kk8451t"}}),
        ("B-8kk", {"paypal": {"vault_id": "B-8kk"}}),
        (
            "B-7FB31251F28061234",
            {"token": {"id": "B-7FB31251F28061234", "type": "BILLING_AGREEMENT"}},
        ),
    ],
)
async def test_what_pays(token: str, source: dict[str, Any]) -> None:
    """A token names a card, a wallet or a billing agreement."""
    async with answering(good(paid())) as paypal:
        told = await paypal.provider.confirm_charge(charge(), token=token, key="att_1:confirm")

    assert outcome(told) == (Outcome.SUCCEEDED, None)
    assert paypal.lines == [f"POST {ORDER}/capture"]
    assert paypal.body == {"payment_source": source}
    assert paypal.last.headers["paypal-request-id"] == key_of("att_1:confirm")


async def test_the_way_back_goes_with_what_pays() -> None:
    """A stored card or wallet may still need its buyer; without a cancel page he comes back too."""
    async with answering(good(paid()), return_url="https://shop.example/back") as paypal:
        await paypal.provider.confirm_charge(charge(), token="card:8kk8451t", key="k")

    back = "https://shop.example/back?attempt_id=att_1"
    assert paypal.body["payment_source"]["card"]["experience_context"] == {
        "return_url": back,
        "cancel_url": back,
    }


async def test_a_hold_is_authorized() -> None:
    """An order of that intent is not captured."""
    async with answering(good(held())) as paypal:
        told = await paypal.provider.confirm_charge(hold(), token="card:8kk8451t", key="k")

    assert outcome(told) == (Outcome.SUCCEEDED, None)
    assert paypal.lines == [f"POST {ORDER}/authorize"]


async def test_a_buyer_who_must_act() -> None:
    """He is sent where PayPal says."""
    body = error("UNPROCESSABLE_ENTITY", "PAYER_ACTION_REQUIRED", links=page(PAGE))
    async with answering(good(body, 422)) as paypal:
        told = await paypal.provider.confirm_charge(charge(), token="vault1", key="k")

    assert isinstance(told, Verdict)
    assert (told.outcome, told.redirect_url) == (Outcome.ACTION_REQUIRED, PAGE)


@pytest.mark.parametrize("status", ["CREATED", "PAYER_ACTION_REQUIRED"])
async def test_nothing_is_taken_before_the_buyer_agrees(status: str) -> None:
    """An order that waits for approval is read, and its buyer sent there."""
    waiting = order(status=status, links=page(PAGE))
    async with answering(good(waiting, 200)) as paypal:
        told = await paypal.provider.confirm_charge(charge(), token="approval", key="k")

    assert isinstance(told, Verdict)
    assert (told.outcome, told.redirect_url) == (Outcome.ACTION_REQUIRED, PAGE)
    assert paypal.lines == [f"GET {ORDER}"]


async def test_what_the_buyer_agreed_to_is_taken() -> None:
    """Once approved it is captured, with the source that he chose at PayPal."""
    async with answering(good(order(status="APPROVED"), 200), good(paid())) as paypal:
        told = await paypal.provider.confirm_charge(charge(), token="approval", key="att_1:confirm")

    assert outcome(told) == (Outcome.SUCCEEDED, None)
    assert paypal.lines == [f"GET {ORDER}", f"POST {ORDER}/capture"]
    assert paypal.body == {}
    assert paypal.last.headers["paypal-request-id"] == key_of("att_1:confirm-approved")


async def test_a_buyer_who_was_sent_to_paypal_has_chosen_there() -> None:
    """After a redirect the stored token is not sent again, over what he chose."""
    waited = replace(charge(), redirect_url=PAGE, outcome=Outcome.ACTION_REQUIRED)
    async with answering(good(order(status="APPROVED"), 200), good(paid())) as paypal:
        await paypal.provider.confirm_charge(waited, token="vault1", key="k")

    assert paypal.body == {}


async def test_a_buyer_who_comes_back() -> None:
    """His return takes the money when he agreed, whatever the query of the return says."""
    async with answering(good(order(status="APPROVED"), 200), good(paid())) as paypal:
        told = await paypal.provider.complete_charge(charge(), details={"token": "x"}, key="k")

    assert outcome(told) == (Outcome.SUCCEEDED, None)


async def test_an_order_that_is_paid_already_is_not_paid_again() -> None:
    """Who comes back twice, or after a capture, is told what came of the first."""
    async with answering(good(paid(), 200)) as paypal:
        told = await paypal.provider.complete_charge(charge(), details={}, key="k")

    assert outcome(told) == (Outcome.SUCCEEDED, None)
    assert paypal.lines == [f"GET {ORDER}"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (GONE, (Outcome.DECLINED, Reason.PSP_CANCELLED)),
        (good(order(status="VOIDED"), 200), (Outcome.DECLINED, Reason.PSP_CANCELLED)),
        (good(order(status="CREATED"), 200), (Outcome.ACTION_REQUIRED, None)),
        (good(paid(), 200), (Outcome.SUCCEEDED, None)),
        (SERVER_ERROR, (Outcome.UNKNOWN, Reason.NO_USABLE_ANSWER)),
        (written({}, status=404), (Outcome.UNKNOWN, Reason.NO_USABLE_ANSWER)),
    ],
)
async def test_what_is_abandoned_ends_by_paypals_word(
    said: bytes, expected: tuple[Outcome, Reason | None]
) -> None:
    """Nothing takes an order back; it has ended when PayPal has dropped it."""
    async with answering(said) as paypal:
        told = await paypal.provider.cancel_charge(charge(), key="k")

    assert outcome(told) == expected
    assert paypal.lines == [f"GET {ORDER}"]


async def test_what_is_approved_is_not_abandoned() -> None:
    """Its buyer has just agreed: that is no end."""
    async with answering(good(order(status="APPROVED"), 200)) as paypal:
        assert isinstance(await paypal.provider.cancel_charge(charge(), key="k"), Created)


async def test_an_order_cannot_be_found_without_its_id() -> None:
    """Nothing is asked: made again under its key it is the same."""
    async with answering() as paypal:
        assert await paypal.provider.find_charge(new_charge()) == Absent()

    assert paypal.wire.requests == []


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


async def test_look_ups() -> None:
    """Each reads the order, and nothing else."""
    async with answering(good(paid(), 200), good(held(), 200), good(paid(), 200)) as paypal:
        read = await paypal.provider.read_charge(charge())
        still = await paypal.provider.read_hold(capture())
        found = await paypal.provider.find_refund(refund())

    assert outcome(read) == (Outcome.SUCCEEDED, None)
    assert (still, found) == (Absent("200"), Absent("200"))
    assert paypal.lines == [f"GET {ORDER}"] * 3


@pytest.mark.parametrize(
    ("said", "level"),
    [
        (good(paid(amount=money("1.00"))), "error"),
        (written(error("AUTHENTICATION_FAILURE"), status=401), "error"),
        (written(error("NOT_AUTHORIZED", "PERMISSION_DENIED"), status=403), "error"),
        (SERVER_ERROR, "warning"),
        (good(paid(status="DECLINED")), None),
    ],
)
async def test_who_is_told_of_trouble(said: bytes, level: str | None) -> None:
    """A person is told of what must not be, and of an account that cannot charge."""
    with structlog.testing.capture_logs() as logs:
        async with answering(said, said) as paypal:
            await paypal.provider.confirm_charge(charge(), token="tok_canary", key="k")

    levels = [log["log_level"] for log in logs if log["event"] == "psp_trouble"]
    assert levels == ([level] if level else [])
    assert "canary" not in repr(logs)


async def test_what_it_can_do() -> None:
    """The keys of orders are kept for hours, and those of payments for weeks."""
    async with answering() as paypal:
        provider = paypal.provider

    hours = {
        stage: kept.total_seconds() / 3600 for stage, kept in CAPABILITIES.key_retention.items()
    }
    assert provider.capabilities is CAPABILITIES
    assert hours == {
        Stage.OPEN: 6,
        Stage.CREATE: 6,
        Stage.CONFIRM: 6,
        Stage.CAPTURE: 1080,
        Stage.VOID: 1080,
        Stage.REFUND: 1080,
    }
    assert provider.takes("HUF")
    assert not provider.takes("KWD")
    assert provider.can_express(Money.parse("500", "HUF"))
    assert not provider.can_express(Money.parse("500.50", "HUF"))
