"""Token buckets: how many requests a caller may send, a burst included."""

from collections import OrderedDict
from collections.abc import Callable

_CALLERS_MAX = 10_000


class Buckets:
    """A bucket per caller, each filled at `per_second` up to `burst`; kept in this process alone.

    The callers that were not heard of for longest are forgotten first: their buckets are full.

    Args:
        per_second: requests a second in the long run; 0: no limit.
        burst: requests at once after a rest; at least 1.
        seconds: tells the time, in seconds that only rise.
    """

    def __init__(self, per_second: float, burst: int, seconds: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = max(burst, 1)
        self._seconds = seconds
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> float:
        """Let one request of a caller pass: 0; or tell how many seconds to wait for the next."""
        if self._per_second <= 0:
            return 0.0
        now = self._seconds()
        level, since = self._levels.pop(caller, (self._burst, now))
        level = min(level + (now - since) * self._per_second, self._burst)
        passes = level >= 1
        self._levels[caller] = (level - passes, now)
        if len(self._levels) > _CALLERS_MAX:
            self._levels.popitem(last=False)
        return 0.0 if passes else (1 - level) / self._per_second
