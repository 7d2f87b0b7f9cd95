"""PayPal's adapter, walked as the gateway walks it, against the sandbox: its record is what
happened, and what is said must be that.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from chassis.faults import FaultPoints
from privacy.masked import Secret
from psp_gateway.domain.attempt import Attempt, Kind, Outcome
from psp_gateway.domain.errors import Refusal
from psp_gateway.domain.reasons import Reason
from psp_gateway.providers.paypal.client import PayPalClient
from psp_gateway.providers.paypal.provider import NAME, PayPalProvider
from psp_gateway.use_cases.execute_holds import execute_hold
from psp_gateway.use_cases.execute_refunds import execute_refund
from psp_gateway.use_cases.look_again import keep
from psp_gateway.use_cases.take_further import Means, Paying, take_further
from tests.builders import NOW
from tests.unit.psp_gateway.fakes import FakeStore, FreePassage
from tests.unit.psp_gateway.test_take_further import (
    new_capture,
    new_charge,
    new_hold,
    new_refund,
    new_void,
)
from tests.unit.sandbox.served import Served

CARD = "card:any"
URLS = {"return_url": "https://shop.example/back", "cancel_url": "https://shop.example/no"}


@dataclass
class Walked:
    """A gateway of PayPal alone, its attempts in memory and its clock moved by hand."""

    sandbox: Served
    provider: PayPalProvider
    store: FakeStore = field(default_factory=FakeStore)
    passed: timedelta = timedelta()

    @property
    def means(self) -> Means:
        """What walking takes."""
        return Means(
            store=self.store,
            providers={NAME: self.provider},
            guards={NAME: FreePassage()},
            clock=lambda: NOW + self.passed,
            faults=FaultPoints.parse("", "development"),
        )

    async def ask(self, asked: Attempt, token: str = CARD) -> Attempt:
        """Ask for an attempt a second later."""
        self.passed += timedelta(seconds=1)
        asked = replace(asked, psp=NAME)
        answer: Attempt | Refusal
        match asked.kind:
            case Kind.REFUND:
                answer = await execute_refund(self.means, asked)
            case Kind.CAPTURE | Kind.VOID:
                answer = await execute_hold(self.means, asked)
            case _:
                taken_up = await self.store.take_up_charge(asked)
                answer = await take_further(self.means, taken_up, Paying(Secret(token)))
        assert isinstance(answer, Attempt)
        return answer

    async def settle(self, asked: Attempt, token: str = CARD) -> Attempt:
        """Ask until it is final."""
        answer = await self.ask(asked, token)
        for _ in range(5):
            if answer.outcome.is_final:
                break
            answer = await self.ask(asked, token)
        return answer

    async def come_back(self, attempt: Attempt) -> Attempt:
        """Let the buyer come back, as `ResumeCharge` does."""
        answer = await self.provider.complete_charge(attempt, details={}, key="att_1:complete-1")
        await keep(self.means, attempt, answer, was_told=False)
        return self.store.rows[attempt.attempt_id]

    async def buyer(self, attempt: Attempt, result: str) -> None:
        """Let the buyer end PayPal's page."""
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        path = attempt.redirect_url.removeprefix(self.sandbox.world.base_url)
        status, _, _ = await self.sandbox.send("POST", path, f"result={result}".encode(), form)
        assert status < 400


@asynccontextmanager
async def walking(folder: Path, timeout_s: float = 30.0) -> AsyncIterator[Walked]:
    """Serve the sandbox, and open the adapter to it."""
    sandbox = await Served.start(folder / "record.jsonl", {})
    secret = "secret"  # pragma: allowlist secret
    client = PayPalClient(f"{sandbox.world.base_url}/paypal", "id", secret, timeout_s=timeout_s)
    await client.open()
    try:
        yield Walked(sandbox, PayPalProvider(client, **URLS))
    finally:
        await client.close()
        await sandbox.stop()


@pytest.fixture
async def paypal(tmp_path: Path) -> AsyncIterator[Walked]:
    """Walk against a sandbox of this test's own."""
    async with walking(tmp_path) as walked:
        yield walked


@pytest.mark.parametrize("token", [CARD, "any", "B-7FB31251F28061234"])
async def test_a_charge(paypal: Walked, token: str) -> None:
    """A card, a wallet or an agreement is charged once, under the order's id."""
    charged = await paypal.ask(new_charge(), token)

    assert charged.outcome is Outcome.SUCCEEDED
    assert len(charged.psp_reference) == 17
    assert await paypal.sandbox.lines() == [("charge", 9999)]


@pytest.mark.parametrize(
    ("token", "reason", "code"),
    [
        ("paypal_instrument_declined", Reason.CARD_DECLINED, "INSTRUMENT_DECLINED"),
        ("paypal_payer_cannot_pay", Reason.CARD_DECLINED, "PAYER_CANNOT_PAY"),
        ("paypal_compliance_violation", Reason.DO_NOT_RETRY, "COMPLIANCE_VIOLATION"),
        ("card:paypal_processor_5120", Reason.INSUFFICIENT_FUNDS, "5120"),
        ("card:paypal_processor_9520", Reason.CARD_LOST_OR_STOLEN, "9520"),
    ],
)
async def test_a_decline(paypal: Walked, token: str, reason: Reason, code: str) -> None:
    """What PayPal or the processor says is told, and nothing moves."""
    declined = await paypal.ask(new_charge(), token)

    assert (declined.outcome, declined.reason) == (Outcome.DECLINED, reason)
    assert declined.psp_code == code
    assert [kind for kind, _ in await paypal.sandbox.lines()] == ["decline"]


@pytest.mark.parametrize(
    ("token", "outcome"),
    [("paypal_pending", Outcome.SUCCEEDED), ("paypal_pending_denied", Outcome.DECLINED)],
)
async def test_what_is_decided_later(paypal: Walked, token: str, outcome: Outcome) -> None:
    """A pending capture is looked up until it is decided."""
    assert (await paypal.ask(new_charge(), token)).outcome is Outcome.PENDING
    await paypal.sandbox.advance(61)

    assert (await paypal.ask(new_charge(), token)).outcome is outcome


@pytest.mark.parametrize("token", ["approval", "paypal_payer_action_required"])
async def test_a_buyer_agrees_at_paypal(paypal: Walked, token: str) -> None:
    """He is sent there, and what he agreed to is taken when he comes back."""
    waiting = await paypal.ask(new_charge(), token)
    assert waiting.outcome is Outcome.ACTION_REQUIRED
    assert (await paypal.come_back(waiting)).outcome is Outcome.ACTION_REQUIRED
    await paypal.buyer(waiting, "approve")

    assert (await paypal.come_back(waiting)).outcome is Outcome.SUCCEEDED
    assert await paypal.sandbox.lines() == [("charge", 9999)]


@pytest.mark.parametrize("token", ["approval", "paypal_payer_action_required"])
async def test_a_buyer_who_never_came_back_is_asked_about(paypal: Walked, token: str) -> None:
    """Asked again after his approval, the charge goes through without his return."""
    waiting = await paypal.ask(new_charge(), token)
    await paypal.buyer(waiting, "approve")

    assert (await paypal.ask(new_charge(), token)).outcome is Outcome.SUCCEEDED
    assert await paypal.sandbox.lines() == [("charge", 9999)]


async def test_a_buyer_who_declines_is_waited_for(paypal: Walked) -> None:
    """Turning back is no end: he may still agree."""
    waiting = await paypal.ask(new_charge(), "approval")
    await paypal.buyer(waiting, "cancel")

    again = await paypal.ask(new_charge(), "approval")
    assert (again.outcome, again.redirect_url) == (Outcome.ACTION_REQUIRED, waiting.redirect_url)
    assert await paypal.sandbox.lines() == []


async def test_a_hold_is_captured_in_part(paypal: Walked) -> None:
    """It is held for 29 days; the rest of it is let go."""
    held = await paypal.ask(new_hold())
    taken = await paypal.ask(new_capture("40.00"))

    assert held.expires_at is not None
    assert (held.outcome, taken.outcome) == (Outcome.SUCCEEDED, Outcome.SUCCEEDED)
    assert taken.psp_reference == held.psp_reference
    assert await paypal.sandbox.lines() == [("authorization", 9999), ("capture", 4000)]


async def test_a_hold_that_cannot_be_captured(paypal: Walked) -> None:
    """PayPal's own controls may refuse it."""
    await paypal.ask(new_hold(), "paypal_capture_refused")
    refused = await paypal.ask(new_capture())

    assert (refused.outcome, refused.psp_code) == (Outcome.DECLINED, "TRANSACTION_REFUSED")


async def test_a_hold_that_ran_out(paypal: Walked) -> None:
    """After its days nothing is taken."""
    await paypal.ask(new_hold())
    await paypal.sandbox.advance(30 * 86_400)
    late = await paypal.ask(new_capture())

    assert late.outcome is Outcome.DECLINED
    assert ("capture", 9999) not in await paypal.sandbox.lines()


async def test_a_pending_refund(paypal: Walked) -> None:
    """It is asked about under its key until it is decided."""
    await paypal.ask(new_charge(), "paypal_refund_pending")
    assert (await paypal.ask(new_refund())).outcome is Outcome.PENDING
    await paypal.sandbox.advance(61)

    assert (await paypal.ask(new_refund())).outcome is Outcome.SUCCEEDED
    assert await paypal.sandbox.lines() == [("charge", 9999), ("refund", 9999)]


async def test_what_was_captured_is_given_back(paypal: Walked) -> None:
    """The order leads from a hold to what was taken of it, and that can be refunded."""
    await paypal.ask(new_hold())
    taken = new_capture("40.00")
    await paypal.ask(taken)
    asked = replace(new_refund(), charge_attempt_id=taken.attempt_id, amount=taken.amount)

    assert (await paypal.ask(asked)).outcome is Outcome.SUCCEEDED
    assert (await paypal.sandbox.lines())[1:] == [("capture", 4000), ("refund", 4000)]


TROUBLE = (
    "rate_limit",
    "error_before",
    "error_after",
    "connection_reset_after",
    "malformed",
    "charge_then_timeout",
)
# What was done before, what is asked, PayPal's operation, and the record when all is done.
ASKED: dict[str, tuple[list[Attempt], Attempt, str, list[tuple[str, int]]]] = {
    "made": ([], new_charge(), "create", [("charge", 9999)]),
    "charged": ([], new_charge(), "confirm", [("charge", 9999)]),
    "held": ([], new_hold(), "confirm", [("authorization", 9999)]),
    "voided": ([new_hold()], new_void(), "void", [("authorization", 9999), ("void", 9999)]),
    "captured": (
        [new_hold()],
        new_capture(),
        "capture",
        [("authorization", 9999), ("capture", 9999)],
    ),
    "refunded": ([new_charge()], new_refund(), "refund", [("charge", 9999), ("refund", 9999)]),
}


@pytest.mark.parametrize("trouble", TROUBLE)
@pytest.mark.parametrize(("before", "asked", "operation", "record"), ASKED.values(), ids=ASKED)
async def test_trouble_is_healed_without_moving_money_twice(
    tmp_path: Path,
    trouble: str,
    before: list[Attempt],
    asked: Attempt,
    operation: str,
    record: list[tuple[str, int]],
) -> None:
    """Whatever becomes of a request or its answer, asking on does it once and says so."""
    async with walking(tmp_path, 0.5 if trouble == "charge_then_timeout" else 30.0) as paypal:
        for each in before:
            await paypal.ask(each)
        await paypal.sandbox.fault(trouble, operation)

        assert (await paypal.settle(asked)).outcome is Outcome.SUCCEEDED
        assert await paypal.sandbox.lines() == record


@pytest.mark.parametrize("operation", ["create", "confirm"])
async def test_a_wrong_amount_is_an_alarm(paypal: Walked, operation: str) -> None:
    """What PayPal says of another amount is neither success nor failure."""
    await paypal.sandbox.fault("wrong_amount", operation)
    told = await paypal.ask(new_charge())

    assert (told.outcome, told.reason) == (Outcome.UNKNOWN, Reason.AMOUNT_MISMATCH)
