"""The stream that this process writes to: leased, fenced by an epoch.

A lease only keeps writers apart; what makes two of them in one stream impossible is that each batch
moves the stream's head from where its writer believes it to be, under its epoch, or not at all.
"""

from dataclasses import dataclass

from chassis.database import Database
from ledger_svc import statements
from ledger_svc.domain.chain import GENESIS, Head


@dataclass(slots=True)
class Stream:
    """A stream on lease. `head` is where it will end when all that was decided is on disk."""

    head: Head
    epoch: int


async def lease(database: Database) -> Stream:
    """Lease a stream that nobody writes to, or a new one.

    Raises:
        Unavailable: the database did not answer.
    """
    while not (found := await database.run(lambda tx: tx.all(statements.LEASE_STREAM))):
        await database.run(lambda tx: tx.execute(statements.NEW_STREAM, [GENESIS]))
    (row,) = found
    head = Head(row["stream"], row["number"], bytes(row["hash"]), row["written_at"])
    return Stream(head, row["epoch"])
