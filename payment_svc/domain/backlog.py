"""How much waits to be worked on, and whether more is taken in: a gate with hysteresis, pure."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

_WAIT_MIN, _WAIT_MAX = timedelta(seconds=1), timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Backlog:
    """The sagas that are due and that nobody has claimed: how many, and how long the oldest."""

    depth: int
    oldest: timedelta


@dataclass(frozen=True, slots=True)
class BacklogLimits:
    """How much may wait before no more is taken in."""

    depth_max: int = 2_000
    age_max: timedelta = timedelta(seconds=30)

    @property
    def early(self) -> "BacklogLimits":
        """Half of it: where the edge is asked to send no more, so that what is on its way here is
        still taken in.
        """
        return BacklogLimits(self.depth_max // 2, self.age_max / 2)

    def is_above(self, backlog: Backlog) -> bool:
        """Whether too much waits."""
        return backlog.depth > self.depth_max or backlog.oldest > self.age_max

    def is_well_below(self, backlog: Backlog) -> bool:
        """Whether half of it waits at most: enough to take in again without closing at once."""
        return backlog.depth * 2 <= self.depth_max and backlog.oldest * 2 <= self.age_max


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether new payments are taken in, by the last look at the backlog."""

    limits: BacklogLimits
    is_closed: bool = False
    wait: timedelta = _WAIT_MIN

    def saw(self, backlog: Backlog) -> "Gate":
        """Close when too much waits; open again when half of it waits at most."""
        still_closed = self.is_closed and not self.limits.is_well_below(backlog)
        is_closed = self.limits.is_above(backlog) or still_closed
        return replace(
            self, is_closed=is_closed, wait=min(max(backlog.oldest, _WAIT_MIN), _WAIT_MAX)
        )


class Admission(Protocol):
    """Who says whether another payment is taken in."""

    def wait(self) -> timedelta | None:
        """Tell after how long to ask again; None: it is taken in."""
        ...


class Open:
    """`Admission` that takes everything in."""

    def wait(self) -> timedelta | None:
        """See `Admission.wait`."""
        return None


OPEN = Open()
