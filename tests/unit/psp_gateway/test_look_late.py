"""Looks at what was given up: what was charged after all is told until it is heard, and a PSP that
does not tell is asked again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from chassis.errors import PaymeshError, Unavailable
from chassis.faults import FaultPoints
from privacy.masked import Secret
from psp_gateway.domain.attempt import Attempt, Outcome
from psp_gateway.domain.late_looks import LateLook
from psp_gateway.use_cases.execute_charges import execute_charge
from psp_gateway.use_cases.look_late import Found, Looking, look_late, plan_looks
from psp_gateway.use_cases.take_further import Means, Paying
from tests.builders import NOW
from tests.unit.psp_gateway.fakes import FakePsp, FakeStore, FreePassage
from tests.unit.psp_gateway.test_take_further import new_charge

HOUR = timedelta(hours=1)
SCHEDULE = (HOUR, 6 * HOUR)


@dataclass
class Shelf:
    """`ports.LateLooks` and `ports.AttemptReader` over the fake store, in memory."""

    store: FakeStore
    looks: dict[str, LateLook] = field(default_factory=dict)
    now: datetime = NOW
    unreadable: set[str] = field(default_factory=set)

    async def given_up(self, since: datetime, until: datetime, limit: int) -> Sequence[Attempt]:
        """See `ports.LateLooks`."""
        return [
            a
            for a in self.store.rows.values()
            if since < a.updated_at <= until
            and a.outcome is not Outcome.SUCCEEDED
            and a.attempt_id not in self.looks
        ]

    async def plan(self, looks: Sequence[LateLook]) -> None:
        """See `ports.LateLooks`."""
        self.looks |= {look.attempt_id: look for look in looks}

    async def claim(self, limit: int) -> Sequence[LateLook]:
        """See `ports.LateLooks`."""
        return [o for o in self.looks.values() if o.due_at is not None and o.due_at <= self.now]

    async def settle(self, settled: Sequence[tuple[LateLook, LateLook]]) -> None:
        """See `ports.LateLooks`."""
        self.looks |= {after.attempt_id: after for _, after in settled}

    async def of_payment(self, payment_id: str) -> Sequence[Attempt]:
        """See `ports.AttemptReader`."""
        return [a for a in self.store.rows.values() if a.payment_id == payment_id]

    async def of_payments(self, payment_ids: Sequence[str]) -> Sequence[Attempt]:
        """See `ports.AttemptReader`."""
        return [a for a in self.store.rows.values() if a.payment_id in payment_ids]

    async def find(self, attempt_ids: Sequence[str]) -> Sequence[Attempt]:
        """See `ports.AttemptReader`."""
        if self.unreadable & set(attempt_ids):
            raise PaymeshError("tampered")
        return [self.store.rows[one] for one in attempt_ids]


@dataclass
class Ears:
    """`ports.Listener`: deaf, undecided, or neither."""

    is_deaf: bool = False
    undecided: tuple[str, ...] = ()
    heard: list[str] = field(default_factory=list)

    async def apply(
        self, payment_ids: Sequence[str], doubtful_ids: Sequence[str] = ()
    ) -> Sequence[str]:
        """See `ports.Listener`."""
        if self.is_deaf:
            raise Unavailable("away")
        self.heard += doubtful_ids
        return self.undecided


class World:
    """A gateway with one attempt that its PSP has charged."""

    def __init__(self, **ears: object) -> None:
        self.psp, self.store = FakePsp(), FakeStore()
        self.shelf, self.ears = Shelf(self.store), Ears(**ears)  # type: ignore[arg-type]
        self.means = Means(
            self.store,
            {"fake": self.psp},
            {"fake": FreePassage()},
            lambda: self.shelf.now,
            FaultPoints(),
        )
        self.blamed: list[str] = []
        self.looking = Looking(self.means, self.shelf, self.shelf, self.ears, SCHEDULE, self.blame)

    def blame(self, what: str, error: Exception) -> None:
        """See `ports.Blame`."""
        self.blamed.append(f"{what}: {error!r}")

    async def charged(self, **believed: object) -> Attempt:
        """Charge, and make the row say something else of it."""
        done = await execute_charge(self.means, new_charge(), Paying(Secret("pm_card_visa")))
        assert isinstance(done, Attempt)
        assert done.outcome is Outcome.SUCCEEDED
        row = replace(done, updated_at=NOW, **believed)  # type: ignore[arg-type]
        self.store.rows[row.attempt_id] = row
        return row

    async def look(self, after: timedelta) -> list[Found]:
        """Plan and look so long after it was given up; tell what there was to be found."""
        self.shelf.now = NOW + after
        await plan_looks(self.looking)
        found = await look_late(self.looking)
        return [what for what, count in found.items() if count]


@pytest.mark.parametrize(
    "believed",
    [
        {"outcome": Outcome.DECLINED, "reason": "PSP_RATE_LIMITED"},
        {"outcome": Outcome.UNKNOWN, "reason": "KEY_TOO_OLD"},
        {"outcome": Outcome.TRANSIENT, "reason": "PSP_UNREACHABLE"},
    ],
    ids=lambda believed: str(believed["outcome"]),
)
async def test_what_was_charged_is_found_and_told(believed: dict[str, object]) -> None:
    """After the first hour, not before; what was final stays so."""
    world = World()
    given_up = await world.charged(**believed)

    assert await world.look(HOUR - timedelta(seconds=1)) == []
    assert await world.look(HOUR) == [Found.CHARGED]
    kept = [a.outcome for a in await world.shelf.of_payment(given_up.payment_id)]
    is_final = given_up.outcome is Outcome.DECLINED
    assert kept == [Outcome.DECLINED, Outcome.SUCCEEDED] if is_final else [Outcome.SUCCEEDED]
    assert world.ears.heard == [given_up.payment_id]


@pytest.mark.parametrize("ears", [{"is_deaf": True}, {"undecided": ("pay_1",)}], ids=str)
async def test_it_is_told_until_it_is_heard(ears: dict[str, object]) -> None:
    """Soon again, and the look does not count."""
    world = World(**ears)
    given_up = await world.charged(outcome=Outcome.DECLINED, reason="PSP_RATE_LIMITED")

    assert await world.look(HOUR) == [Found.SILENT]
    assert world.shelf.looks[given_up.attempt_id].made == 0
    world.ears.is_deaf, world.ears.undecided = False, ()
    assert await world.look(1.5 * HOUR) == [Found.CHARGED]
    assert world.shelf.looks[given_up.attempt_id].made == 1


async def test_one_that_cannot_be_read_keeps_no_look_of_another_back() -> None:
    """It is looked at again an hour later; the look does not count."""
    world = World()
    given_up = await world.charged(outcome=Outcome.DECLINED, reason="PSP_RATE_LIMITED")
    other = replace(given_up, attempt_id="att_other")
    world.store.rows[other.attempt_id] = other
    world.shelf.unreadable = {other.attempt_id}

    assert await world.look(HOUR) == [Found.CHARGED]
    look = world.shelf.looks[other.attempt_id]
    assert (look.made, look.due_at) == (0, NOW + 2 * HOUR)


async def test_a_fault_of_ours_in_one_look_keeps_no_other_back() -> None:
    """It is looked at again soon; the look does not count."""
    world = World()
    given_up = await world.charged(outcome=Outcome.DECLINED, reason="PSP_RATE_LIMITED")
    # One that no code of ours could have written.
    broken = replace(given_up, attempt_id="att_broken", psps_tried=("fake", "fake"), psp="gone")
    world.store.rows[broken.attempt_id] = broken
    world.means.providers["gone"] = world.psp  # type: ignore[index]

    assert set(await world.look(HOUR)) == {Found.CHARGED, Found.SILENT}
    assert world.shelf.looks[broken.attempt_id].made == 0


async def test_nothing_is_planned_without_a_schedule() -> None:
    """It can be turned off."""
    world = World()
    await world.charged(outcome=Outcome.DECLINED, reason="PSP_RATE_LIMITED")
    looking = replace(world.looking, schedule=())
    world.shelf.now = NOW + HOUR

    assert await plan_looks(looking) == 0
    assert world.shelf.looks == {}
