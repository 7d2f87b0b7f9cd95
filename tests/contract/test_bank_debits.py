"""Debits of the buyer's bank account: accepted at once, decided after days by the PSP's word."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from paymesh.psp.v1 import attempt_pb2 as noun
from paymesh.psp.v1 import provider_pb2 as nouns
from paymesh.psp.v1 import psp_gateway_service_pb2 as service

from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.gateway_commands import charge
from tests.unit.psp_gateway.relay import World, running_world
from tests.unit.psp_gateway.sandbox import DEADLINE_S

DAY_S = 86_400.0
_Attempt = noun.Attempt


@dataclass(frozen=True, slots=True)
class Debit:
    """A debit at a PSP, in a currency of one scheme."""

    token: str
    currency: str

    def ask(self, **more: str) -> service.ChargeCommand:
        """Make the command."""
        return charge(
            payment_token=self.token, currency=self.currency, amount="25.00", is_debit=True, **more
        )


PAID = [
    pytest.param(Debit("pm_usBankAccount_success", "USD"), id="stripe ach"),
    pytest.param(Debit("stripe:pm_any_iban", "EUR"), id="stripe sepa"),
    pytest.param(Debit("adyen:shopper:adyen_pending", "EUR"), id="adyen sepa"),
    pytest.param(Debit("adyen:shopper:adyen_pending", "USD"), id="adyen ach"),
]
RETURNED = [
    pytest.param(
        Debit("pm_usBankAccount_insufficientFunds", "USD"), "INSUFFICIENT_FUNDS", id="no funds"
    ),
    pytest.param(
        Debit("pm_usBankAccount_debitNotAuthorized", "USD"), "PAYMENT_METHOD_INVALID", id="mandate"
    ),
    pytest.param(Debit("stripe:sepa_debit_fails", "EUR"), "DEBIT_RETURNED", id="stripe sepa"),
    pytest.param(
        Debit("adyen:shopper:adyen_pending_refused", "EUR"), "DEBIT_RETURNED", id="adyen sepa"
    ),
]


@pytest.fixture
async def world(psp_database: ServiceDatabase, tmp_path: Path) -> AsyncIterator[World]:
    """A gateway with every PSP, and the sandbox."""
    async with running_world(psp_database, tmp_path) as running:
        yield running


async def asked(world: World, command: service.ChargeCommand) -> noun.Attempt:
    """Ask for a debit, and be answered what is known of it."""
    (result,) = await world.gateway.charges(command)
    assert not result.HasField("refusal"), result
    return result.attempt


async def decided(world: World, command: service.ChargeCommand) -> noun.Attempt:
    """Ask until the bank has decided."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            found = await asked(world, command)
            if found.outcome in (_Attempt.SUCCEEDED, _Attempt.DECLINED):
                return found
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("debit", PAID)
async def test_a_debit_is_pending_until_the_bank_has_paid(world: World, debit: Debit) -> None:
    """It is no success before, however often it is asked about, and one debit in the end."""
    first = await asked(world, debit.ask())
    again = await asked(world, debit.ask())
    moved_before = await world.sandbox.money()

    await world.sandbox.advance(6 * DAY_S)
    paid = await decided(world, debit.ask())

    assert (first.outcome, again.outcome) == (_Attempt.PENDING, _Attempt.PENDING)
    assert first.payment_method == nouns.BANK_DEBIT
    assert moved_before == []
    assert paid.outcome == _Attempt.SUCCEEDED
    assert await world.sandbox.money() == [("charge", 2500)]


@pytest.mark.parametrize(("debit", "reason"), RETURNED)
async def test_a_debit_that_the_bank_does_not_pay_is_declined(
    world: World, debit: Debit, reason: str
) -> None:
    """Days later, with a reason that is told of no card."""
    pending = await asked(world, debit.ask())

    await world.sandbox.advance(6 * DAY_S)
    returned = await decided(world, debit.ask())

    assert pending.outcome == _Attempt.PENDING
    assert (returned.outcome, returned.reason) == (_Attempt.DECLINED, reason)
    assert [kind for kind, _ in await world.sandbox.money() if kind == "charge"] == []


async def test_news_of_a_debit_come_unasked(world: World, psp_database: ServiceDatabase) -> None:
    """A webhook is enough: nobody has to ask for the attempt again."""
    debit = Debit("pm_usBankAccount_success", "USD")
    await asked(world, debit.ask())

    await world.sandbox.advance(DAY_S)

    async with asyncio.timeout(DEADLINE_S):
        while True:
            with psycopg.connect(psp_database.owner_url) as connection:
                (outcome,) = connection.execute("SELECT outcome FROM attempts").fetchone() or ("",)
            if outcome == "SUCCEEDED":
                break
            await asyncio.sleep(0.1)
    assert await world.sandbox.money() == [("charge", 2500)]


async def test_a_lost_answer_debits_once(world: World) -> None:
    """The bank is asked once, though the PSP's answer never came."""
    debit = Debit("pm_usBankAccount_success", "USD")
    await world.sandbox.fault("connection_reset_after", match={"operation": "confirm"})

    await asked(world, debit.ask())
    await world.sandbox.advance(DAY_S)
    paid = await decided(world, debit.ask())

    assert paid.outcome == _Attempt.SUCCEEDED
    assert await world.sandbox.money() == [("charge", 2500)]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (charge(payment_token="stripe:a", currency="GBP", is_debit=True), "no bank debits in GBP"),
        (charge(payment_token="stripe:a", is_debit=True, is_held=True), "cannot be held"),
        (charge(payment_token="paypal:card:a", is_debit=True), "does not take BANK_DEBIT"),
    ],
)
async def test_what_no_psp_can_debit_is_refused(
    world: World, command: service.ChargeCommand, why: str
) -> None:
    """Before anything is stored, and with the reason."""
    (result,) = await world.gateway.charges(command)

    assert result.refusal.reason == "NO_ROUTE"
    assert why in str(result.refusal)
    assert await world.gateway.attempts("pay_1") == []


async def test_the_same_attempt_by_another_method_is_refused(world: World) -> None:
    """What was asked as a debit is not answered as a card."""
    debit = Debit("pm_usBankAccount_success", "USD")
    await asked(world, debit.ask())

    (card,) = await world.gateway.charges(charge(payment_token=debit.token, amount="25.00"))

    assert card.refusal.reason == "ATTEMPT_REUSED"
    assert "payment_method" in str(card.refusal)
