"""What has had its time, such as holds that expire, ended a piece at a time."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import LiteralString

from psycopg.rows import DictRow

from bookkeeping.refusals import Refusal
from chassis.database import Database
from chassis.telemetry import logger

# Before all that may expire.
_NOBODY = (datetime(1970, 1, 1, tzinfo=UTC), "")


class Due:
    """Goes through what is due, the longest due first. As long as pieces are full it goes on behind
    them, so that one that cannot end keeps no other back.

    Args:
        query: reads rows with `expires_at` and `name`, in the order of both; takes the time, the
            two of the row to go on behind, and a limit.
        name: the column that names what ends.
    """

    def __init__(self, database: Database, query: LiteralString, name: str) -> None:
        self._database, self._query, self._name = database, query, name
        self._behind = _NOBODY

    async def end(
        self,
        at: datetime,
        limit: int,
        end: Callable[[Sequence[DictRow]], Awaitable[Sequence[object]]],
    ) -> int:
        """Have `end` end what is due at a time, `limit` at most; tell how many were looked at.

        Raises:
            Unavailable: the database did not answer; asking again is safe.
        """
        due = await self._database.read(self._query, [at, *self._behind, limit])
        if due:
            refused = [outcome for outcome in await end(due) if isinstance(outcome, Refusal)]
            if refused:
                logger().warning("expiry_refused", count=len(refused), error=refused[0])
        is_whole = not due or len(due) < limit
        self._behind = _NOBODY if is_whole else (due[-1]["expires_at"], due[-1][self._name])
        return len(due)
