"""The door before PostgreSQL does what it says; who meets it knows in time what he cannot know."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from chassis.database import Database, Transaction
from chassis.errors import Unavailable
from tests.chaos.door import Door
from tests.servers import ServiceDatabase

_TIMEOUT_S = 1.0
_GRACE_S = 3.0  # of a machine that is busy


@asynccontextmanager
async def opened(url: str, folder: Path) -> AsyncIterator[tuple[Door, Database]]:
    """Open a door before a server, and a database of one connection that goes through it."""
    place = urlsplit(url)
    postmaster = folder / "postmaster.pid"
    postmaster.write_text(f"1\n{folder}\n0\n{place.port}\n")
    door = Door(postmaster)
    server = await asyncio.start_server(door.enter, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    user = place.netloc.rpartition("@")[0]
    through = urlunsplit(place._replace(netloc=f"{user}@127.0.0.1:{port}"))
    database = Database(through, connections=1, timeout_s=_TIMEOUT_S)
    await database.open()
    try:
        yield door, database
    finally:
        await database.close()
        server.close()


async def insert(database: Database, name: str) -> None:
    """Write a row in a transaction that ends with a COMMIT."""

    async def work(tx: Transaction) -> None:
        await tx.execute("INSERT INTO door_notes VALUES (%s)", [name])

    await database.run(work)


async def names(database: Database) -> set[str]:
    """Read the rows that are there, as soon as anybody answers."""
    async with asyncio.timeout(60):
        while True:
            try:
                return {row["name"] for row in await database.read("SELECT name FROM door_notes")}
            except Unavailable:
                await asyncio.sleep(0.05)


@pytest.fixture
def url(ledger_database: ServiceDatabase) -> str:
    """A database with a table to write into, as its owner sees it."""
    import psycopg

    with psycopg.connect(ledger_database.owner_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE door_notes (name text PRIMARY KEY)")
    return str(ledger_database.owner_url)


@pytest.mark.parametrize("how", ["reset", "half_open"])
async def test_a_lost_answer_to_a_commit_is_told_as_unknown(
    url: str, tmp_path: Path, how: str
) -> None:
    """It was committed, nobody said so, and the caller hears that it is not known, in time."""
    async with opened(url, tmp_path) as (door, database):
        await insert(database, "before")
        door.command(["lose", "1", how])
        began = time.monotonic()

        with pytest.raises(Unavailable):
            await insert(database, "lost")

        assert time.monotonic() - began < _TIMEOUT_S + _GRACE_S
        assert door.struck["commit_lost"] == 1
        assert await names(database) == {"before", "lost"}


async def test_what_is_swallowed_is_not_done(url: str, tmp_path: Path) -> None:
    """Bytes that never arrive commit nothing; once the way is free again, all goes on."""
    async with opened(url, tmp_path) as (door, database):
        await insert(database, "before")
        door.command(["mode", "blackhole"])
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await insert(database, "swallowed")
        assert time.monotonic() - began < _TIMEOUT_S + _GRACE_S
        door.command(["mode", "ok"])
        await names(database)
        await insert(database, "after")

        assert door.struck["blackhole"] >= 1
        assert await names(database) == {"before", "after"}


@pytest.mark.parametrize("words", [["reset"], ["cut", "1", "3"]])
async def test_a_broken_connection_is_replaced(url: str, tmp_path: Path, words: list[str]) -> None:
    """Whoever loses his connection is told, and finds another."""
    async with opened(url, tmp_path) as (door, database):
        await insert(database, "before")
        door.command(words)
        with pytest.raises(Unavailable):
            await insert(database, "broken")

        assert door.struck[words[0]] == 1
        assert "before" in await names(database)


async def test_a_delay_only_takes_time(url: str, tmp_path: Path) -> None:
    """What is held up arrives."""
    async with opened(url, tmp_path) as (door, database):
        door.command(["mode", "delay", "0.02"])
        await insert(database, "late")

        assert door.struck["delay"] > 0
        assert await names(database) == {"late"}


def test_an_unknown_command_is_refused(tmp_path: Path) -> None:
    """A slip in an order is no trouble that silently never strikes."""
    with pytest.raises(ValueError, match="no such command"):
        Door(tmp_path / "postmaster.pid").command(["mode", "sideways"])
