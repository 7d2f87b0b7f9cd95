"""Applying a batch of events: one in trouble never keeps the others back."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from psp_gateway.domain.attempt import Attempt, Outcome
from psp_gateway.domain.inbox import State, Told
from psp_gateway.domain.psp_event import PspEvent, Subject
from psp_gateway.use_cases.apply_events import Applying, apply_events
from tests.builders import NOW
from tests.unit.psp_gateway.test_look_late import World


class Finder:
    """`ports.AttemptFinder`: an event is about the attempt that it names."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def concerned(self, events: Sequence[PspEvent]) -> Sequence[Sequence[Attempt]]:
        """See `ports.AttemptFinder`."""
        return [[self._world.store.rows[event.attempt_id]] for event in events]


def told(number: int, attempt: Attempt) -> Told:
    """Make an event that came just now, about an attempt."""
    event = PspEvent(
        attempt.psp, f"evt_{number}", "charged", Subject.CHARGE, attempt_id=attempt.attempt_id
    )
    return Told(number, event, NOW, due_at=NOW)


async def test_a_fault_of_ours_in_one_event_keeps_no_other_back() -> None:
    """It is put off, later each time; the others are applied."""
    world = World()
    unknown = await world.charged(outcome=Outcome.UNKNOWN, reason="NO_USABLE_ANSWER")
    # Of a PSP that nothing guards: no settings of ours make one.
    broken = replace(unknown, attempt_id="att_broken", psp="gone")
    world.store.rows[broken.attempt_id] = broken
    world.means.providers["gone"] = world.psp  # type: ignore[index]
    following: Any = None
    applying = Applying(world.means, Finder(world), world.ears, {}, following, world.blame)

    first, second = await apply_events(applying, [told(1, broken), told(2, unknown)])

    assert (first.number, first.state, first.tries) == (1, State.NEW, 1)
    assert first.due_at is not None
    assert first.due_at > NOW
    assert (second.number, second.state) == (2, State.APPLIED)
    assert world.blamed == ["event 1 of gone: KeyError('gone')"]
    assert world.store.rows[unknown.attempt_id].outcome is Outcome.SUCCEEDED
