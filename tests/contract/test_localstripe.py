"""The Stripe adapter, walked by the gateway, against a Stripe that nobody here wrote.

localstripe knows no idempotency keys, no `amount_received`, and declines without telling the
PaymentIntent; the walk must come to the truth all the same.
"""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest

from chassis.clock import utc_now
from chassis.faults import FaultPoints
from chassis.money import Money
from privacy.masked import Secret
from psp_gateway.domain.attempt import Attempt, Kind, Outcome, Stage
from psp_gateway.domain.errors import RefundExceedsCharge, Refusal
from psp_gateway.providers.stripe.client import StripeClient
from psp_gateway.providers.stripe.provider import StripeProvider
from psp_gateway.use_cases.execute_charges import execute_charge
from psp_gateway.use_cases.execute_holds import execute_hold
from psp_gateway.use_cases.execute_refunds import execute_refund
from psp_gateway.use_cases.take_further import Means, Paying
from tests.servers import free_port
from tests.unit.psp_gateway.fakes import FakeStore, FreePassage
from tests.unit.psp_gateway.test_take_further import (
    new_capture,
    new_charge,
    new_hold,
    new_refund,
    new_void,
)

_SERVER = Path(__file__).with_name("localstripe_server.py")


@dataclass
class World:
    """The gateway's walk before localstripe, with a store in memory."""

    means: Means
    store: FakeStore
    url: str

    async def charge(self, asked: Attempt, token: str) -> Attempt:
        """Charge, and ask again until it is final."""
        asked = replace(asked, psp="stripe", created_at=utc_now(), updated_at=utc_now())
        async with asyncio.timeout(60):
            while True:
                answer = await execute_charge(self.means, asked, Paying(Secret(token)))
                assert not isinstance(answer, Refusal)
                if answer.outcome.is_final:
                    return answer
                await asyncio.sleep(0.1)

    async def refund(self, attempt_id: str, amount: str) -> Attempt | Refusal:
        """Refund a part."""
        money = Money.parse(amount, "USD")
        asked = replace(new_refund(), attempt_id=attempt_id, amount=money, created_at=utc_now())
        return await execute_refund(self.means, asked)

    async def refunded(self) -> list[int]:
        """Read localstripe's own refunds."""
        headers = {"Authorization": "Bearer sk_test_12345"}
        async with aiohttp.ClientSession(headers=headers) as session:
            async with session.get(f"{self.url}/v1/refunds") as answer:
                return sorted(refund["amount"] for refund in (await answer.json())["data"])


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Run localstripe."""
    port = free_port()
    command = [sys.executable, str(_SERVER), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline(), "localstripe did not start"
        yield f"http://127.0.0.1:{port}"
        process.terminate()


@pytest.fixture
async def world(url: str) -> AsyncIterator[World]:
    """Begin with an empty Stripe."""
    async with aiohttp.ClientSession() as session:
        async with session.delete(f"{url}/_config/data") as answer:
            assert answer.status == 200
    client = StripeClient(url, "sk_test_12345")  # pragma: allowlist secret
    await client.open()
    store = FakeStore()
    providers = {"stripe": StripeProvider(client)}
    guards = {"stripe": FreePassage()}
    yield World(Means(store, providers, guards, utc_now, FaultPoints({})), store, url)
    await client.close()


async def test_a_card_is_charged_and_given_back(world: World) -> None:
    """In two parts; localstripe itself would let more than all of it go back."""
    charged = await world.charge(new_charge(), "pm_card_visa")
    first = await world.refund("att_r1", "60.00")
    second = await world.refund("att_r2", "39.99")
    third = await world.refund("att_r3", "0.01")

    assert charged.outcome is Outcome.SUCCEEDED
    assert charged.psp_reference.startswith("pi_")
    assert isinstance(first, Attempt)
    assert isinstance(second, Attempt)
    assert {first.outcome, second.outcome} == {Outcome.SUCCEEDED}
    assert isinstance(third, RefundExceedsCharge)
    assert await world.refunded() == [3999, 6000]


async def test_a_declined_card_is_declined(world: World) -> None:
    """Its answer does not name the object, so that only the look-up tells."""
    declined = await world.charge(new_charge(), "pm_card_chargeCustomerFail")

    assert declined.outcome is Outcome.DECLINED
    assert [exchange.operation for exchange in world.store.exchanges][:3] == [
        "SEND_CREATE",
        "SEND_CONFIRM",
        "LOOK_UP_CONFIRM",
    ]


async def test_a_hold_is_let_go(world: World) -> None:
    """A void is final, and a capture after it is refused."""
    held = await world.charge(new_hold(), "pm_card_visa")
    void = await execute_hold(world.means, replace(new_void(), created_at=utc_now()))
    late = await execute_hold(world.means, replace(new_capture(), created_at=utc_now()))

    assert (held.kind, held.outcome) == (Kind.AUTHORIZATION, Outcome.SUCCEEDED)
    assert isinstance(void, Attempt)
    assert (void.outcome, void.stage) == (Outcome.SUCCEEDED, Stage.VOID)
    assert isinstance(late, Refusal)


async def test_a_capture_that_does_not_tell_its_amount_is_not_believed(world: World) -> None:
    """Localstripe leaves `amount_received` out: neither success nor failure, a person must look."""
    await world.charge(new_hold(), "pm_card_visa")
    capture = await execute_hold(world.means, replace(new_capture(), created_at=utc_now()))

    assert isinstance(capture, Attempt)
    assert (capture.outcome, capture.reason) == (Outcome.UNKNOWN, "AMOUNT_MISMATCH")


async def test_what_it_does_not_know_is_declined(world: World) -> None:
    """A token that nobody made."""
    unknown = await world.charge(new_charge(), "pm_nobody_made_this")

    assert (unknown.outcome, unknown.reason) == (Outcome.DECLINED, "PSP_REQUEST_INVALID")
