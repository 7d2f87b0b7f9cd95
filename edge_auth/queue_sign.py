"""Whether payment_svc has hung out the sign that too much waits; looked at all the time, so that no
request has to. Where it cannot be read, it does not hang: payment_svc turns away by itself.
"""

import asyncio

from redis.asyncio import Redis
from redis.exceptions import RedisError

from chassis.server import Job
from edge_auth.domain.buckets import Buckets

KEY = "paymesh:queue_full"
_LOOK_EVERY_S = 0.1
_UNREADABLE_S = 1.0


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

    async def look(self) -> float:
        """Look at it; tell when to look again, in seconds."""
        try:
            told = await self._redis.get(KEY)
            self._wait_s = float(told) if told else 0.0
        except (RedisError, OSError, ValueError):
            self._wait_s = 0.0
            return _UNREADABLE_S
        return _LOOK_EVERY_S

    def watch(self) -> Job:
        """Make the job that looks."""

        async def job(stopping: asyncio.Event) -> None:
            while not stopping.is_set():
                await asyncio.sleep(await self.look())

        return job
