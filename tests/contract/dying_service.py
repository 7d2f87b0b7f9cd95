"""A service one of whose jobs ends, while others wait for the one connection to its database; see
test_service_end.py.
"""

import asyncio
import os
from contextlib import AsyncExitStack
from functools import partial

from chassis.database import Database
from chassis.server import Job, Wiring, main, repeat
from chassis.settings import Environment, ServerSettings

_WAITING = 20  # for one connection: most of them wait for it whenever the pool is closed


def _asking(database: Database, asked: asyncio.Event) -> Job:
    async def work() -> bool:
        await database.read("SELECT pg_sleep(0.01)")
        asked.set()
        return True

    return partial(repeat, "asking", work, pause_s=0.01)


def _failing(asked: asyncio.Event) -> Job:
    async def job(_: asyncio.Event) -> None:
        await asked.wait()
        raise LookupError("a mistake in a job")

    return job


async def build(_: ServerSettings, __: Environment, stack: AsyncExitStack) -> Wiring:
    """Wire the jobs; it serves nothing but its health."""
    database = Database(os.environ["DATABASE_URL"], connections=1)
    await database.open()
    stack.push_async_callback(database.close)
    asked = asyncio.Event()
    waiting = [_asking(database, asked) for _ in range(_WAITING)]
    return Wiring(register=(), names=(), jobs=(_failing(asked), *waiting))


if __name__ == "__main__":
    main("dying_service", "dying.paymesh", build)
