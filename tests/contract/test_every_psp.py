"""What the gateway promises of every PSP alike, over the sandbox, its webhooks and a real
PostgreSQL: whoever calls needs to know of none of them.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from paymesh.psp.v1 import attempt_pb2 as noun
from paymesh.psp.v1 import payout_pb2 as payout_noun
from paymesh.psp.v1 import psp_gateway_service_pb2 as service

import psp_gateway.providers
from tests.contract.bank_payouts import bank_payout, booked, files, ordered, say
from tests.contract.test_psp_payouts import settled
from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.bank_files import DEBTOR, OURS, transfer
from tests.unit.psp_gateway.gateway_commands import payout
from tests.unit.psp_gateway.relay import running_world
from tests.unit.psp_gateway.sandbox import DEADLINE_S, Gateway, Sandbox

_Attempt = noun.Attempt


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one PSP that end in these ways."""

    good: str
    declined: str
    poor: str


PSPS = {
    "stripe": Tokens(
        "stripe:any_card",
        "stripe:pm_card_visa_chargeDeclined",
        "stripe:pm_card_visa_chargeDeclinedInsufficientFunds",
    ),
    "adyen": Tokens(
        "adyen:shopper:any_card",
        "adyen:shopper:adyen_refused_2",
        "adyen:shopper:adyen_refused_12",
    ),
    "paypal": Tokens(
        "paypal:card:any_card",
        "paypal:card:paypal_instrument_declined",
        "paypal:card:paypal_processor_5120",
    ),
}


# Who is paid out to, at each that charges; the bank pays to accounts of other banks, and charges
# nobody: there is no token of it.
PAYEES = {"stripe": "acct_seller", "adyen": "SE1234", "paypal": "jo@example.com"}
BANK = "bank"


@dataclass(frozen=True, slots=True)
class Tried:
    """A gateway with one PSP to be tried."""

    psp: str
    gateway: Gateway
    sandbox: Sandbox

    @property
    def tokens(self) -> Tokens:
        """Its tokens."""
        return PSPS[self.psp]

    async def charge(self, token: str = "", attempt_id: str = "att_1") -> noun.Attempt:
        """Charge until it is final."""
        token = token or self.tokens.good
        return await self.gateway.settled(attempt_id=attempt_id, payment_token=token)

    async def hold(self) -> noun.Attempt:
        """Hold until it is final."""
        return await final(lambda: self.gateway.hold(payment_token=self.tokens.good))


@pytest.fixture(params=sorted(PSPS))
async def tried(
    request: pytest.FixtureRequest, psp_database: ServiceDatabase, tmp_path: Path
) -> AsyncIterator[Tried]:
    """Each PSP in turn."""
    async with running_world(psp_database, tmp_path) as world:
        yield Tried(request.param, world.gateway, world.sandbox)


async def final(ask: Callable[[], Awaitable[service.AttemptResult]]) -> noun.Attempt:
    """Ask until it is final; a refusal ends the test."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            result = await ask()
            assert not result.HasField("refusal"), result
            if result.attempt.outcome in (_Attempt.SUCCEEDED, _Attempt.DECLINED):
                return result.attempt
            await asyncio.sleep(0.1)


async def test_a_charge_succeeds_once(tried: Tried) -> None:
    """Asked twice it is one charge, by the PSP's own record too."""
    first = await tried.charge()
    again = await tried.charge()

    assert (first.outcome, first.psp) == (_Attempt.SUCCEEDED, tried.psp)
    assert first.psp_reference == again.psp_reference != ""
    assert await tried.sandbox.money() == [("charge", 9999)]


@pytest.mark.parametrize("token", ["declined", "poor"])
async def test_a_decline_is_a_word_that_all_share(tried: Tried, token: str) -> None:
    """The reason is ours, the code the PSP's; nothing moved, and it stays declined."""
    declined = await tried.charge(getattr(tried.tokens, token))
    again = await tried.charge(getattr(tried.tokens, token))

    expected = {"declined": "CARD_DECLINED", "poor": "INSUFFICIENT_FUNDS"}[token]
    assert (declined.outcome, declined.reason) == (_Attempt.DECLINED, expected)
    assert declined.psp_code
    assert again.reason == declined.reason
    assert [kind for kind, _ in await tried.sandbox.money() if kind == "charge"] == []


@pytest.mark.parametrize("kind", ["connection_reset_after", "error_after", "malformed"])
async def test_a_lost_answer_charges_once(tried: Tried, kind: str) -> None:
    """Whether it was carried out or not, in the end it is one charge."""
    await tried.sandbox.fault(kind, match={"operation": "confirm", "psp": tried.psp})

    charged = await tried.charge()

    assert charged.outcome == _Attempt.SUCCEEDED
    assert await tried.sandbox.money() == [("charge", 9999)]


async def test_what_is_held_is_captured_in_part(tried: Tried) -> None:
    """The rest is let go; it is captured once."""
    held = await tried.hold()
    captured = await final(lambda: tried.gateway.capture(amount="60.00"))
    again = await final(lambda: tried.gateway.capture(amount="60.00"))
    other = await tried.gateway.capture(attempt_id="att_capture2", amount="10.00")

    assert (held.kind, held.outcome) == (_Attempt.AUTHORIZATION, _Attempt.SUCCEEDED)
    assert held.HasField("expires_at")
    assert captured.outcome == again.outcome == _Attempt.SUCCEEDED
    assert other.refusal.reason == "ALREADY_CAPTURED"
    assert ("capture", 6000) in await tried.sandbox.money()


async def test_what_is_held_is_let_go(tried: Tried) -> None:
    """Nothing is captured then."""
    await tried.hold()
    voided = await final(tried.gateway.void)
    late = await tried.gateway.capture()

    assert voided.outcome == _Attempt.SUCCEEDED
    assert late.refusal.reason == "ALREADY_VOIDED"
    assert [kind for kind, _ in await tried.sandbox.money()] == ["authorization", "void"]


async def test_what_was_captured_is_refunded(tried: Tried) -> None:
    """A refund goes by the capture, and never above it."""
    await tried.hold()
    await final(lambda: tried.gateway.capture(amount="60.00"))
    about = "att_capture1"
    refunded = await final(lambda: tried.gateway.refund(charge_attempt_id=about, amount="60.00"))
    more = await tried.gateway.refund(attempt_id="att_r2", charge_attempt_id=about, amount="0.01")

    assert refunded.outcome == _Attempt.SUCCEEDED
    assert more.refusal.reason == "REFUND_EXCEEDS_CHARGE"


async def test_refunds_are_given_in_parts(tried: Tried) -> None:
    """Several, each once, and not a cent above the charge."""
    await tried.charge()
    for number, amount in enumerate(("30.00", "69.99")):
        given = {"attempt_id": f"att_r{number}", "amount": amount}
        refunded = await final(lambda given=given: tried.gateway.refund(**given))  # type: ignore[misc]
        assert refunded.outcome == _Attempt.SUCCEEDED
    more = await tried.gateway.refund(attempt_id="att_r9", amount="0.01")

    assert more.refusal.reason == "REFUND_EXCEEDS_CHARGE"
    assert await tried.sandbox.money() == [("charge", 9999), ("refund", 3000), ("refund", 6999)]


@pytest.mark.parametrize("kind", ["connection_reset_after", "malformed", "rate_limit"])
async def test_a_refund_is_never_given_twice(tried: Tried, kind: str) -> None:
    """A lost answer is found again by our id, or repeated under its key."""
    await tried.charge()
    await tried.sandbox.fault(kind, match={"operation": "refund", "psp": tried.psp})

    refunded = await final(tried.gateway.refund)

    assert refunded.outcome == _Attempt.SUCCEEDED
    assert await tried.sandbox.money() == [("charge", 9999), ("refund", 9999)]


async def test_a_psp_that_is_dark_charges_when_it_is_back(tried: Tried) -> None:
    """Nothing is lost, and nothing doubled."""
    await tried.sandbox.dark(dark=True)
    waiting = (await tried.gateway.charge(payment_token=tried.tokens.good)).attempt
    await tried.sandbox.dark(dark=False)

    charged = await tried.charge()

    assert waiting.outcome in (_Attempt.UNKNOWN, _Attempt.TRANSIENT, _Attempt.PENDING)
    assert charged.outcome == _Attempt.SUCCEEDED
    assert await tried.sandbox.money() == [("charge", 9999)]


def test_every_provider_is_tried() -> None:
    """A folder of providers is one PSP."""
    folders = Path(psp_gateway.providers.__path__[0]).glob("*/provider.py")

    assert sorted([*PSPS, BANK]) == sorted(folder.parent.name for folder in folders)
    assert PSPS.keys() == PAYEES.keys()


@pytest.mark.parametrize("psp", sorted([*PSPS, BANK]))
async def test_a_payout_is_made_once(
    psp: str, psp_database: ServiceDatabase, tmp_path: Path
) -> None:
    """Asked for several times, also after it was paid: once by the PSP's record, or in one file of
    the bank's, and PAID by its word.
    """
    outbox = tmp_path / "outbox"
    bank = {
        "BANK_DEBTOR_NAME": DEBTOR.name,
        "BANK_DEBTOR_IBAN": OURS,
        "BANK_DEBTOR_BIC": DEBTOR.bic,
        "BANK_OUTBOX": str(outbox),
        "BANK_POLL_S": "0.05",
    }
    is_bank = psp == BANK
    command = bank_payout() if is_bank else payout(psp=psp, account=PAYEES[psp])
    async with running_world(psp_database, tmp_path, **bank) as world:

        async def ask() -> payout_noun.Payout:
            await world.sandbox.advance(2)
            return (await world.gateway.payouts(command))[0].payout

        if is_bank:
            await ask()
            await files(outbox, 1)
            await say(world.gateway, booked())
        found = await settled(ask)
        again = await ask()
        moved = await world.sandbox.moved()

    assert (found.state, found.psp) == (payout_noun.Payout.PAID, psp)
    assert again == found
    assert moved == ([] if is_bank else [("payout", 2500)])
    orders = ordered(sorted(outbox.glob("*.xml")))
    assert orders == ([transfer("att_1").end_to_end_id] if is_bank else [])
