"""One moment of the books, to be read from as the database is."""

from typing import LiteralString, TypeVar

from psycopg.rows import DictRow

from chassis.database import Parameters, Transaction, Work

Result = TypeVar("Result")


class Moment:
    """A transaction that sees what it saw first; it takes a database's place in a reader."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    @classmethod
    async def begin(cls, tx: Transaction) -> "Moment":
        """Make a transaction one that reads, of one moment; to be done first in it."""
        await tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return cls(tx)

    async def read(self, query: LiteralString, parameters: Parameters = ()) -> list[DictRow]:
        """Run one statement and read all its rows."""
        return await self._tx.all(query, parameters)

    async def run(
        self, work: Work[Result], *, timeout_s: float | None = None, alone: bool = False
    ) -> Result:
        """Run `work`; its deadline is that of the whole transaction."""
        return await work(self._tx)
