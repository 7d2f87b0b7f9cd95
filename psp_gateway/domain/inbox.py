"""The inbox: what PSPs told, and what became of it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from psp_gateway.domain.psp_event import PspEvent, Subject

# An object that nobody knows may yet become known: our own commit may come after the PSP's word.
_PARKED_MAX = timedelta(days=3)
_PAUSE_MAX = timedelta(minutes=10)
_UNCONCERNED = frozenset({Subject.PAYOUT, Subject.REPORT, Subject.OTHER})


class State(StrEnum):
    """What became of an event: see the proto."""

    NEW = "NEW"
    APPLIED = "APPLIED"
    KEPT = "KEPT"
    PARKED = "PARKED"
    CONTRADICTS = "CONTRADICTS"


@dataclass(frozen=True, slots=True)
class Raw:
    """A webhook as it came."""

    psp: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Told:
    """An event in the inbox, as it stands.

    Attributes:
        number: its place; ascends.
        due_at: when it is looked at again; None when it is not.
        delivery_count: how often it came; all but the first changed nothing.
        leased_until: as long it is whose claim answered it; None where it was only read.
    """

    number: int
    event: PspEvent
    received_at: datetime
    state: State = State.NEW
    note: str = ""
    tries: int = 0
    due_at: datetime | None = None
    delivery_count: int = 1
    leased_until: datetime | None = None

    @property
    def concerns_attempts(self) -> bool:
        """Whether it may be about an attempt of ours."""
        return self.event.subject not in _UNCONCERNED

    def settled(self, state: State, note: str = "") -> "Told":
        """Be done with it."""
        return replace(self, state=state, note=note, tries=self.tries + 1, due_at=None)

    def put_off(self, state: State, note: str, now: datetime) -> "Told":
        """Look at it again, ever later, until it is three days old."""
        pause = min(timedelta(seconds=2 ** min(self.tries, 16)), _PAUSE_MAX)
        is_old = now - self.received_at >= _PARKED_MAX
        due_at = None if is_old else now + pause
        return replace(self, state=state, note=note, tries=self.tries + 1, due_at=due_at)
