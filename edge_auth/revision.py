"""`ports.Announcer` on Redis: a number that rises with every change of a client.

Every instance looks at it several times a second. While Redis is away, a remembered key lasts its
few seconds.
"""

from collections.abc import Callable

from redis.asyncio import Redis

from chassis.redis_client import AWAY

_PLACE = "edge:clients:revision"
POLL_S = 0.2


class Revision:
    """Says and hears that clients have changed.

    Args:
        redis: shared by all instances.
        forget: called when one has; `KeyCache.forget`.
    """

    def __init__(self, redis: Redis, forget: Callable[[], None]) -> None:
        self._redis = redis
        self._forget = forget
        self._known: bytes | None = None

    async def announce(self) -> bool:
        """See `ports.Announcer.announce`; this instance knows at once."""
        self._forget()
        try:
            await self._redis.incr(_PLACE)
        except AWAY:
            return False
        return True

    async def look(self) -> bool:
        """Forget if there was a change since the last look; answers False, for `repeat`."""
        try:
            revision = await self._redis.get(_PLACE)
        except AWAY:
            return False
        if revision != self._known:
            self._known = revision
            self._forget()
        return False
