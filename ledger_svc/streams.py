"""The streams that this process writes to: leased, fenced by an epoch, one for each batch at once.

A lease only keeps writers apart; what makes two of them in one stream impossible is that each batch
moves the stream's head from where its writer believes it to be, under its epoch, or not at all.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from psycopg.rows import DictRow

from chassis.database import Database, Transaction
from ledger_svc import statements
from ledger_svc.domain.chain import GENESIS, Head


class StreamLost(Exception):
    """Another writer has leased the stream; nothing was written."""


@dataclass(slots=True)
class Stream:
    """A stream on loan: its writer moves the head when a batch is on disk."""

    head: Head
    epoch: int


class Streams:
    """Lends streams to batches; one that came to harm is not lent again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._idle: list[Stream] = []

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Stream]:
        """Lend a stream for a batch. After an error nobody knows where it ends: it is let go, and
        its row tells who leases it next.

        Raises:
            Unavailable: the database did not answer.
        """
        stream = self._idle.pop() if self._idle else await self._database.run(self._lease)
        yield stream
        self._idle.append(stream)

    async def _lease(self, tx: Transaction) -> Stream:
        found = await tx.all(statements.LEASE_STREAM)
        return _to_stream((found or await tx.all(statements.NEW_STREAM, [GENESIS]))[0])


def _to_stream(row: DictRow) -> Stream:
    head = Head(row["stream"], row["number"], bytes(row["hash"]), row["written_at"])
    return Stream(head, row["epoch"])
