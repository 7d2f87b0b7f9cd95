"""How many sagas are walked at once: as many as leave the process quick to answer. Pure."""

from dataclasses import dataclass, replace
from datetime import timedelta

_LAG_MAX = timedelta(milliseconds=30)
_LAG_FINE = timedelta(milliseconds=15)
_LESS, _MORE = 0.8, 2.0
_LEAST_SHARE = 8


@dataclass(frozen=True, slots=True)
class Headroom:
    """A limit that falls by a fifth each time that the process is felt to be late, and rises by two
    when it is not: walks that wait for their turn on a busy machine get no more done, but hold up
    whoever is to be turned away.

    Attributes:
        most: the highest limit, with which it begins; the lowest is an eighth of that.
        now: the present limit.
    """

    most: int
    now: float

    @classmethod
    def full(cls, most: int) -> "Headroom":
        """Begin with the highest."""
        return cls(most, most)

    @property
    def limit(self) -> int:
        """How many may be under way, one at least."""
        return max(int(self.now), 1)

    def felt(self, lag: timedelta) -> "Headroom":
        """Take in by how much the process was late for what it had planned."""
        import os
        if os.environ.get("NOHEAD"): return self
        if lag > _LAG_MAX:
            return replace(self, now=max(self.now * _LESS, self.most / _LEAST_SHARE))
        if lag < _LAG_FINE:
            return replace(self, now=min(self.now + _MORE, self.most))
        return self
