"""When a step that met trouble is tried again: strategies that a step can name, as pure values.

Each tells the pause after the `tries`th try, from 1, or None: it is not tried again. `chance` is in
[0, 1); what has no chance in it ignores it.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

_DOUBLINGS_MAX = 32


class RetryStrategy(Protocol):
    """How trouble at a step is answered."""

    def pause(self, tries: int, chance: float) -> timedelta | None:
        """Tell how long to wait after so many tries; None: not again."""
        ...


@dataclass(frozen=True, slots=True)
class Exponential:
    """Wait anywhere between `least` and a ceiling that doubles with each try: full jitter, so that
    what failed together does not come back together.

    Attributes:
        first: the ceiling after the first try.
        most: the highest ceiling.
        least: never less, since psp_gateway lets an attempt rest for 0.4 s: a try before that would
            be none, and count.
    """

    first: timedelta = timedelta(seconds=1)
    most: timedelta = timedelta(seconds=30)
    least: timedelta = timedelta(seconds=0.5)

    def ceiling(self, tries: int) -> timedelta:
        """Tell the longest pause after so many tries."""
        return min(self.first * (1 << min(tries - 1, _DOUBLINGS_MAX)), self.most)

    def pause(self, tries: int, chance: float) -> timedelta:
        """See `RetryStrategy.pause`."""
        ceiling = self.ceiling(tries)
        least = min(self.least, ceiling)
        return least + (ceiling - least) * chance


@dataclass(frozen=True, slots=True)
class Immediate:
    """Try again at once."""

    def pause(self, tries: int, chance: float) -> timedelta:
        """See `RetryStrategy.pause`."""
        return timedelta(0)


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always wait as long."""

    every: timedelta

    def pause(self, tries: int, chance: float) -> timedelta:
        """See `RetryStrategy.pause`."""
        return self.every


@dataclass(frozen=True, slots=True)
class Incremental:
    """Wait `step` longer after each try, `most` at most."""

    step: timedelta
    most: timedelta

    def pause(self, tries: int, chance: float) -> timedelta:
        """See `RetryStrategy.pause`."""
        return min(self.step * tries, self.most)


@dataclass(frozen=True, slots=True)
class Cancel:
    """Never try again: the one try is the last, a yes or a no; own trouble is for a person."""

    def pause(self, tries: int, chance: float) -> None:
        """See `RetryStrategy.pause`."""


EXPONENTIAL = Exponential()
