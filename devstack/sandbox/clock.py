"""The sandbox's own clock, which a test can move: keys age and slow results fall due by it."""

import time
from collections.abc import Callable


class SandboxClock:
    """The wall clock plus what tests have added to it. It never goes back."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._latest = 0.0
        self.offset_s = 0.0

    def now(self) -> float:
        """Tell the sandbox's time, in Unix seconds."""
        self._latest = max(self._latest, self._wall() + self.offset_s)
        return self._latest

    def advance(self, seconds: float) -> None:
        """Move the clock on.

        Raises:
            ValueError: the step is not above zero.
        """
        if not seconds > 0:
            raise ValueError("the clock moves forward only")
        self.offset_s += seconds
