"""Connections to PostgreSQL that die under a service, while its callers ask until they are told."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg

from chassis.errors import Unavailable
from tests.servers import PostgresServer, ServiceDatabase

Answer = TypeVar("Answer")
Kill = Callable[[str], Awaitable[int]]

_DEADLINE_S = 60
_KILLS_MAX = 50  # then the callers get through, however slow the machine


def killer(postgres: PostgresServer, database: ServiceDatabase, role: str) -> Kill:
    """Make a function that ends a role's connections which a condition selects, and counts them."""

    async def end(condition: str) -> int:
        url = postgres.url("postgres")
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as admin:
            ended = await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                f" WHERE datname = %s AND usename = %s AND {condition}",
                [database.name, role],
            )
            return ended.rowcount

    return end


async def end_whoever_waits(kill: Kill, query: str) -> None:
    """End the connection whose query, known by a part of it, waits for a lock, once one does."""
    async with asyncio.timeout(_DEADLINE_S):
        while not await kill(f"wait_event_type = 'Lock' AND query LIKE '%%{query}%%'"):
            pass


async def asked_by_many(kill: Kill, ask: Callable[[str], Awaitable[Answer]]) -> list[Answer]:
    """Ask for 200 things by name, 20 at once, each until it is answered, while connections die: one
    at least has before the second half is asked for.
    """
    struck, answered = asyncio.Event(), asyncio.Event()

    async def insist(name: str) -> Answer:
        while True:
            try:
                return await ask(name)
            except Unavailable:
                continue

    async def harass() -> int:
        ended = 0
        while not answered.is_set() and ended < _KILLS_MAX:
            ended += await kill("true")
            if ended:
                struck.set()
        return ended

    async def call(caller: int) -> list[Answer]:
        first = [await insist(f"{caller}:{turn}") for turn in range(5)]
        await struck.wait()
        return first + [await insist(f"{caller}:{turn}") for turn in range(5, 10)]

    killing = asyncio.create_task(harass())
    answers = await asyncio.gather(*(call(caller) for caller in range(20)))
    answered.set()
    assert await killing > 0
    return [answer for some in answers for answer in some]
