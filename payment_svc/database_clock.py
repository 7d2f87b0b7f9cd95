"""The database's time: one clock by which all instances judge how long ago something was, whatever
their own say.
"""

import asyncio
from datetime import datetime, timedelta

from chassis.clock import Clock
from chassis.database import Database
from chassis.server import Job, repeat

_COMPARE_EVERY_S = 5.0
_CLOSE = timedelta(seconds=1)  # clocks that are kept differ by less


class DatabaseClock:
    """Tells the time as the database does, to a second: by the process's own clock, put right where
    a comparison finds it further off than that.
    """

    def __init__(self, database: Database, own: Clock) -> None:
        self._database, self._own = database, own
        self._behind = timedelta(0)

    @classmethod
    async def compared(cls, database: Database, own: Clock) -> "DatabaseClock":
        """Make one that has compared.

        Raises:
            Unavailable: the database did not answer.
        """
        clock = cls(database, own)
        await clock.compare()
        return clock

    def __call__(self) -> datetime:
        """Tell the time, in UTC."""
        return self._own() + self._behind

    async def compare(self) -> bool:
        """Compare; answers False, for `repeat`.

        Raises:
            Unavailable: the database did not answer; what was found before goes on.
        """
        asked_at = self._own()
        (row,) = await self._database.read("SELECT clock_timestamp() AS now")
        half = (self._own() - asked_at) / 2
        behind = row["now"] - (asked_at + half)
        if abs(behind - self._behind) > _CLOSE + abs(half):  # it could be no more than the asking
            self._behind = behind
        return False

    def watch(self) -> Job:
        """Make the job that compares."""

        async def job(stopping: asyncio.Event) -> None:
            await repeat("clock", self.compare, stopping, pause_s=_COMPARE_EVERY_S)

        return job
