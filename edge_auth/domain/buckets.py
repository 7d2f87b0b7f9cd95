"""Token buckets: how many requests a caller may send, a burst included."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from edge_auth.domain.limits import UNLIMITED, Limit, Passage, in_force

_CALLERS_MAX = 10_000


class Buckets:
    """A bucket per limit and subject, each filled at its rate up to its burst; kept in this process
    alone.

    The subjects that were not heard of for longest are forgotten first: their buckets are full.

    Args:
        seconds: tells the time, in seconds that only rise.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._levels: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def take(self, limits: Sequence[Limit]) -> Passage:
        """Let one request pass, if all its limits allow it; a refused one takes nothing."""
        wanted = in_force(limits)
        if not wanted:
            return UNLIMITED
        now = self._seconds()
        levels = [self._level(limit, now) for limit in wanted]
        waits = [
            (1 - level) / limit.per_second for level, limit in zip(levels, wanted, strict=True)
        ]
        longest = max(range(len(wanted)), key=lambda place: waits[place])
        passes = all(level >= 1 for level in levels)
        for level, limit in zip(levels, wanted, strict=True):
            self._keep(limit, level - passes, now)
        told = 0 if passes else longest
        level, limit = levels[told] - passes, wanted[told]
        return Passage(
            wait_s=0.0 if passes else waits[longest],
            limit=limit,
            left=max(0, int(level)),
            full_s=(limit.burst - level) / limit.per_second,
        )

    def _level(self, limit: Limit, now: float) -> float:
        level, since = self._levels.get((limit.name, limit.subject), (limit.burst, now))
        return min(level + (now - since) * limit.per_second, limit.burst)

    def _keep(self, limit: Limit, level: float, now: float) -> None:
        place = (limit.name, limit.subject)
        self._levels[place] = (level, now)
        self._levels.move_to_end(place)
        if len(self._levels) > _CALLERS_MAX:
            self._levels.popitem(last=False)
