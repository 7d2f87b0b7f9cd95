"""A sign in Redis that too much waits: the edge reads it and turns new payments away by itself.

It is a hint. Where Redis is lost nobody sees the sign, and payment_svc turns away as before.
"""

import asyncio
from datetime import timedelta

from redis.asyncio import Redis

from chassis.redis_client import AWAY

KEY = "paymesh:queue_full"
# As long as the sign hangs when nobody renews it: a few looks at the queue.
_HANGS = timedelta(milliseconds=700)
_PATIENCE_S = 0.2  # with a Redis that does not answer: looking at the queue must go on


class QueueSign:
    """Hangs the sign, renews it, and takes it down. It never raises."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis
        self._hangs = False

    async def show(self, wait: timedelta | None) -> None:
        """Say after how long to ask again; None: come in."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._show(wait)
        except AWAY:
            self._hangs = False

    async def _show(self, wait: timedelta | None) -> None:
        if wait is not None:
            self._hangs = True
            await self._redis.set(KEY, f"{wait.total_seconds():.3f}", px=_HANGS)
        elif self._hangs:
            self._hangs = False
            await self._redis.delete(KEY)
