"""Whether payment_svc has hung out the sign that too much waits; looked at all the time, so that no
request has to. Where it cannot be read, it does not hang: payment_svc turns away by itself.
"""

import asyncio

from redis.asyncio import Redis
from redis.exceptions import RedisError

from chassis.server import Job, repeat
from edge_auth.domain.buckets import Buckets

KEY = "paymesh:queue_full"
_LOOK_EVERY_S = 0.1
_PATIENCE_S = 0.3  # with a Redis that does not answer; what was seen before counts no more
_WAIT_MAX_S = 60.0


class QueueSign:
    """The sign as it was last seen.

    Args:
        passes: requests of each client that pass all the same: one that was accepted before, and
            is sent again, is known to payment_svc alone.
    """

    def __init__(self, redis: "Redis", passes: Buckets) -> None:
        self._redis = redis
        self._passes = passes
        self._wait_s = 0.0

    def wait_s(self, client_id: str) -> float:
        """Tell how long a client has to wait with a new payment; 0: not at all."""
        if not self._wait_s or not self._passes.take(client_id):
            return 0.0
        return self._wait_s

    async def look(self) -> None:
        """Look at it."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                told = float(await self._redis.get(KEY) or 0)
        except (RedisError, OSError, ValueError):
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
