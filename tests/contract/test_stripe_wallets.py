"""Apple Pay and Google Pay at Stripe: payment methods of the type card, over real gRPC, PostgreSQL
and the sandbox.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from paymesh.psp.v1 import attempt_pb2 as noun
from paymesh.psp.v1 import provider_pb2 as nouns

from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.gateway_commands import capture, charge
from tests.unit.psp_gateway.relay import World, running_world
from tests.unit.psp_gateway.sandbox import DEADLINE_S

_Attempt = noun.Attempt
WALLETS = ("stripe:pm_apple_pay", "stripe:pm_google_pay")


@pytest.fixture
async def world(psp_database: ServiceDatabase, tmp_path: Path) -> AsyncIterator[World]:
    """A gateway with every PSP of the sandbox, webhooks too."""
    async with running_world(psp_database, tmp_path) as running:
        yield running


async def paid(world: World, token: str, *, is_held: bool = False) -> noun.Attempt:
    """Charge a wallet, or hold, until it is final."""
    asked = charge(payment_token=token, is_held=is_held)
    asked.payment_method = nouns.WALLET
    async with asyncio.timeout(DEADLINE_S):
        while True:
            (answer,) = await world.gateway.charges(asked)
            assert not answer.HasField("refusal"), answer
            if answer.attempt.outcome in (_Attempt.SUCCEEDED, _Attempt.DECLINED):
                return answer.attempt
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("token", WALLETS)
async def test_a_wallet_is_charged_once(world: World, token: str) -> None:
    """However often it is asked; the attempt says what was paid with."""
    first, again = await paid(world, token), await paid(world, token)

    assert (first.outcome, first.psp) == (_Attempt.SUCCEEDED, "stripe")
    assert first.payment_method == nouns.WALLET
    assert again.psp_reference == first.psp_reference != ""
    assert await world.sandbox.money() == [("charge", 9999)]


async def test_a_wallets_card_may_be_refused(world: World) -> None:
    """With a reason that all share; nothing moved."""
    declined = await paid(world, "stripe:pm_apple_pay_chargeDeclined")

    assert (declined.outcome, declined.reason) == (_Attempt.DECLINED, "CARD_DECLINED")
    assert [kind for kind, _ in await world.sandbox.money() if kind == "charge"] == []


async def test_what_a_wallet_holds_is_captured_several_times(world: World) -> None:
    """As what any card holds: it is Stripe's to say which cards can."""
    held = await paid(world, WALLETS[0], is_held=True)
    parts = [("att_c1", "60.00", False), ("att_c2", "39.99", True)]
    for attempt_id, amount, is_final in parts:
        command = capture(attempt_id=attempt_id, amount=amount)
        command.is_final = is_final
        async with asyncio.timeout(DEADLINE_S):
            while True:
                (answer,) = await world.gateway.captures(command)
                assert not answer.HasField("refusal"), answer
                if answer.attempt.outcome == _Attempt.SUCCEEDED:
                    break
                await asyncio.sleep(0.05)

    assert held.outcome == _Attempt.SUCCEEDED
    moved = await world.sandbox.money()
    assert [amount for kind, amount in moved if kind == "capture"] == [6000, 3999]


async def test_a_wallet_is_refused_where_none_is_taken(world: World) -> None:
    """Adyen wants the wallet's own data, which is no token: before anything is stored."""
    asked = charge(payment_token="adyen:shopper:a")
    asked.payment_method = nouns.WALLET
    (answer,) = await world.gateway.charges(asked)

    assert answer.refusal.reason == "NO_ROUTE"
    assert "does not take WALLET" in str(answer.refusal)
    assert await world.gateway.attempts("pay_1") == []
