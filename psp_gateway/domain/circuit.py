"""A circuit breaker as a pure state machine: who is in trouble is left alone for a while.

It opens when at least half of a number of recent calls failed, lets one call through after a rest,
and closes when that one succeeds; each further failure doubles the rest.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chassis.changed import changed


class State(StrEnum):
    """What becomes of a call."""

    CLOSED = "CLOSED"  # it is made
    OPEN = "OPEN"  # it is not
    HALF_OPEN = "HALF_OPEN"  # one is under way, to see; the others are not made


@dataclass(frozen=True, slots=True)
class Limits:
    """When a circuit opens, and for how long.

    Attributes:
        window: how far back calls count.
        calls_min: fewer than so many in the window open nothing.
        rest: for how long it is open first.
        rest_max: for how long at most.
    """

    window: timedelta = timedelta(seconds=10)
    calls_min: int = 20
    rest: timedelta = timedelta(seconds=2)
    rest_max: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Circuit:
    """One circuit as it stands.

    Attributes:
        since: when the window, or the rest, began.
        calls, failures: in the window.
        rest: how long the present, or the next, opening lasts.
    """

    limits: Limits
    since: datetime
    state: State = State.CLOSED
    calls: int = 0
    failures: int = 0
    rest: timedelta = timedelta()

    def allow(self, now: datetime) -> "Circuit | None":
        """Let a call through: the circuit as it then stands; None when it must not be made."""
        if self.state is State.CLOSED:
            return self
        if self.state is State.OPEN and now - self.since >= self.rest:
            return replace(self, state=State.HALF_OPEN, since=now)
        # The one that was let through never came back, its process having been told to stop.
        if self.state is State.HALF_OPEN and now - self.since >= self.limits.rest_max:
            return replace(self, since=now)
        return None

    def took(self, *, failed: bool, now: datetime) -> "Circuit":
        """Count a call that was let through."""
        if self.state is State.HALF_OPEN:
            return _opened(self, now) if failed else Circuit(self.limits, now)
        if self.state is State.OPEN:
            return self  # begun before it opened
        fresh = self if now - self.since < self.limits.window else Circuit(self.limits, now)
        counted = changed(fresh, calls=fresh.calls + 1, failures=fresh.failures + failed)
        is_bad = failed and counted.failures * 2 >= counted.calls >= self.limits.calls_min
        return _opened(counted, now) if is_bad else counted


def _opened(circuit: Circuit, now: datetime) -> Circuit:
    rest = min(circuit.rest * 2 or circuit.limits.rest, circuit.limits.rest_max)
    return Circuit(circuit.limits, now, State.OPEN, rest=rest)
