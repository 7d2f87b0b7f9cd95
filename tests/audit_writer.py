"""A process that adds lines to an audit log until it is ended, and says so after each commit."""

import asyncio
import sys

from audit_log.record import ActorKind, Origin, record
from audit_log.writing import add_alone
from chassis.database import Database

_BY = Origin(ActorKind.SERVICE, "writer", is_verified=False, action="tests/Write")


async def write(url: str, name: str) -> None:
    """Write for ever."""
    database = Database(url, connections=2)
    await database.open()
    number = 0
    while True:
        number += 1
        await add_alone(database, [record(_BY, "test", f"{name}-{number}")])
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1], sys.argv[2]))
