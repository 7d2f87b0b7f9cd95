"""Redis, opened in one way by every service: with deadlines, and left when it is another's turn.

After a failover the name leads to another server, and who is connected stays with the former one:
it refuses, or says nothing any more. Whoever meets either hangs up, and all connections that wait
to be used with him, so that each does not have to find out for itself.
"""

import re

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection, DefaultParser
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ReadOnlyError, RedisError

from chassis.settings import SettingsError
from privacy.masked import Secret

AWAY = (RedisError, OSError)  # what a command raises while Redis is

# Only a master takes writes, and one without its replicas may be none any more. Redis 6 hides the
# word in another error where it is a script that is refused.
_ANOTHERS_TURN = re.compile(r"(^|-)(READONLY|NOREPLICAS|MASTERDOWN) ")


def open_redis(url: Secret[str], timeout_s: float, *, retries: int = 1) -> Redis:
    """Open Redis; it need not answer yet, and is to be closed.

    Args:
        url: as `REDIS_URL` has it, TLS parameters too.
        timeout_s: for connecting and for an answer each.
        retries: at once, by a new connection; what lost its answer may so be done twice.

    Raises:
        SettingsError: the URL cannot be read.
    """
    try:
        pool = _Pool.from_url(
            url.reveal(),
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), retries),
            retry_on_error=[ReadOnlyError],
            parser_class=_Parser,
        )
    except (ValueError, RedisError):
        raise SettingsError("REDIS_URL cannot be read") from None
    return Redis.from_pool(pool)


class _Parser(DefaultParser):  # type: ignore[misc, valid-type]  # one of two, by what is installed
    @classmethod
    def parse_error(cls, response: str) -> RedisError:
        if _ANOTHERS_TURN.search(response):
            return ReadOnlyError(response)
        error: RedisError = super().parse_error(response)
        return error


class _Pool(ConnectionPool):
    async def release(self, connection: AbstractConnection) -> None:
        await super().release(connection)
        if not connection.is_connected:
            for idle in self._available_connections:
                await idle.disconnect(nowait=True)
