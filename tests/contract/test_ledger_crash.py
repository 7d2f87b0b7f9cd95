"""A database that dies under the ledger: no half transaction, and asking again is safe."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import psycopg
import pytest

from chassis.database import Database
from chassis.errors import Unavailable
from ledger_svc.domain.books import Posted
from ledger_svc.domain.posting import Posting
from ledger_svc.reader import LedgerReader
from ledger_svc.store import LedgerStore
from tests.conftest import opened
from tests.servers import PostgresServer, ServiceDatabase
from tests.unit.ledger_svc.audit import faults
from tests.unit.ledger_svc.builders import SELLER, open_two, posting

_DEADLINE_S = 60
_KILLS_MAX = 50  # then the callers get through, however slow the machine

Kill = Callable[[str], Awaitable[int]]


@pytest.fixture
def kill(postgres: PostgresServer, ledger_database: ServiceDatabase) -> Kill:
    """Make a function that ends the ledger's connections which a condition selects."""

    async def end(condition: str) -> int:
        url = postgres.url("postgres")
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as admin:
            ended = await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                f" WHERE datname = %s AND usename = 'ledger_svc_app' AND {condition}",
                [ledger_database.name],
            )
            return ended.rowcount

    return end


async def test_a_batch_that_dies_half_written_leaves_nothing(
    ledger_db: Database, ledger_database: ServiceDatabase, kill: Kill
) -> None:
    """Claims and transactions are written, the entries wait: the connection ends, all is gone."""
    store = LedgerStore(ledger_db)
    await open_two(store)
    async with await psycopg.AsyncConnection.connect(ledger_database.owner_url) as owner:
        await owner.execute("LOCK TABLE entries IN EXCLUSIVE MODE")
        task = asyncio.create_task(store.do([posting("charge:1")]))
        deadline = time.monotonic() + _DEADLINE_S
        waiting = "wait_event_type = 'Lock' AND query LIKE '%%INSERT INTO entries%%'"
        while not await kill(waiting):
            assert time.monotonic() < deadline
        with pytest.raises(Unavailable):
            await task

    assert await LedgerReader(ledger_db).transaction("charge:1") is None
    (again,) = await store.do([posting("charge:1")])

    assert isinstance(again, Posted)
    assert not again.replayed
    assert await faults(ledger_db) == {}


async def test_every_posting_happens_once_while_connections_die(
    ledger_db: Database, ledger_database: ServiceDatabase, kill: Kill
) -> None:
    """Callers who ask again until they are answered get each transaction exactly once."""
    store = LedgerStore(ledger_db)
    await open_two(store)
    struck, answered = asyncio.Event(), asyncio.Event()

    async def insist(asked: Posting) -> Posted:
        while True:
            try:
                (outcome,) = await store.do([asked])
            except Unavailable:
                continue
            assert isinstance(outcome, Posted)
            return outcome

    async def harass() -> int:
        ended = 0
        while not answered.is_set() and ended < _KILLS_MAX:
            ended += await kill("true")
            if ended:
                struck.set()
        return ended

    async def call(caller: int) -> list[Posted]:
        first = [await insist(posting(f"{caller}:{turn}", "1.00")) for turn in range(5)]
        await struck.wait()
        rest = [await insist(posting(f"{caller}:{turn}", "1.00")) for turn in range(5, 10)]
        return first + rest

    killer = asyncio.create_task(harass())
    posted = await asyncio.gather(*(call(caller) for caller in range(20)))
    answered.set()

    assert await killer > 0
    assert len({one.transaction.transaction_id for some in posted for one in some}) == 200
    # By connections of its own: among the others are some that have died unnoticed.
    async with opened(ledger_database) as calm:
        account = (await LedgerReader(calm).accounts([SELLER]))[0]
        assert (str(account.balance), account.standing.entry_count) == ("200.00", 200)
        assert await faults(calm) == {}
