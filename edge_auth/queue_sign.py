"""Whether payment_svc has hung out the sign that too much waits; looked at all the time, so that no
request has to. Where it cannot be read, it does not hang: payment_svc turns away by itself.
"""

import asyncio
from collections import OrderedDict

from redis.asyncio import Redis

from chassis.redis_client import AWAY
from chassis.server import Job, repeat
from edge_auth.domain.buckets import Buckets
from edge_auth.domain.limits import Limit

KEY = "paymesh:queue_full"
_LOOK_EVERY_S = 0.1
_PATIENCE_S = 0.3  # with a Redis that does not answer; what was seen before counts no more
_WAIT_MAX_S = 60.0
_PASSED_MAX = 20_000


class QueueSign:
    """The sign as it was last seen.

    Args:
        buckets: count what passes all the same.
        passes_per_second: new payments of each client that do: whether a key is known that did not
            pass here is known to payment_svc alone.
    """

    def __init__(self, redis: "Redis", buckets: Buckets, passes_per_second: float) -> None:
        self._redis = redis
        self._buckets = buckets
        self._passes_per_second = passes_per_second
        self._wait_s = 0.0
        self._passed: OrderedDict[tuple[str, str], None] = OrderedDict()

    def wait_s(self, client_id: str, key: str) -> float:
        """Tell how long a client has to wait with what it asks under an idempotency key; 0: not at
        all. What has passed once passes again: it may have been accepted.
        """
        asked = (client_id, key)
        if self._wait_s and asked not in self._passed and not self._passes(client_id):
            return self._wait_s
        self._passed[asked] = None
        self._passed.move_to_end(asked)
        if len(self._passed) > _PASSED_MAX:
            self._passed.popitem(last=False)
        return 0.0

    def _passes(self, client_id: str) -> bool:
        limit = Limit("queue", client_id, self._passes_per_second, 1)
        return not self._buckets.take([limit]).wait_s

    async def look(self) -> None:
        """Look at it."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                told = float(await self._redis.get(KEY) or 0)
        except (*AWAY, ValueError):
            told = 0.0
        self._wait_s = told if 0 < told <= _WAIT_MAX_S else 0.0

    def watch(self) -> Job:
        """Make the job that looks."""

        async def work() -> bool:
            await self.look()
            return False

        async def job(stopping: asyncio.Event) -> None:
            await repeat("queue sign", work, stopping, pause_s=_LOOK_EVERY_S)

        return job
