"""A buyer who does not come back: the charge is taken back, and ends only when the PSP says so."""

from datetime import timedelta

import pytest

from psp_gateway.domain.attempt import Attempt, Outcome
from tests.unit.psp_gateway.fakes import CHALLENGED_TOKEN
from tests.unit.psp_gateway.test_take_further import World

LATE = timedelta(minutes=30)


async def challenged() -> tuple[World, Attempt]:
    """Ask for a charge that its buyer must authenticate."""
    world = World(token=CHALLENGED_TOKEN)
    waiting = await world.ask()
    assert waiting is not None
    assert waiting.outcome is Outcome.ACTION_REQUIRED
    return world, waiting


async def test_a_buyer_has_half_an_hour() -> None:
    """Until then nothing is taken back."""
    world, _ = await challenged()
    world.now = LATE - timedelta(seconds=1)

    waiting = await world.ask()

    assert waiting is not None
    assert waiting.outcome is Outcome.ACTION_REQUIRED
    assert "att_1:cancel" not in world.psp.sent_keys


async def test_an_abandoned_charge_is_declined() -> None:
    """The PSP has confirmed that it took it back; no money moved."""
    world, _ = await challenged()
    world.now = LATE

    ended = await world.ask()

    assert ended is not None
    assert (ended.outcome, ended.reason) == (Outcome.DECLINED, "AUTHENTICATION_ABANDONED")
    assert world.charges() == 0


@pytest.mark.parametrize("fault", ["lost", "not_sent", "error_before", "rate_limited", "held"])
async def test_a_cancel_that_is_not_confirmed_ends_nothing(fault: str) -> None:
    """It waits on, and is taken back by a later walk."""
    world, _ = await challenged()
    world.now = LATE
    world.psp.faults = iter(["none", fault])  # the look-up, then the cancel

    waiting = await world.ask()

    assert waiting is not None
    assert waiting.outcome is Outcome.ACTION_REQUIRED
    assert (await world.settle()).outcome is Outcome.DECLINED
    assert world.charges() == 0


async def test_a_buyer_who_comes_at_the_last_moment_has_paid() -> None:
    """The cancel finds it done: that is a success, and nothing is taken back."""
    world, waiting = await challenged()
    world.now = LATE
    world.psp.authenticate(waiting.psp_reference)

    paid = await world.ask()

    assert paid is not None
    assert paid.outcome is Outcome.SUCCEEDED
    assert world.charges() == 1
