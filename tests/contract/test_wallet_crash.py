"""A database that dies under the wallets: no half operation, and asking again is safe."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import psycopg
import pytest

from chassis.database import Database
from chassis.errors import Unavailable
from tests.conftest import opened
from tests.servers import PostgresServer, ServiceDatabase
from tests.unit.wallet_svc.audit import faults
from tests.unit.wallet_svc.builders import SELLER, new_wallet, operation, wallet
from wallet_svc.domain.operation import NewOperation
from wallet_svc.domain.wallets import Applied
from wallet_svc.reader import WalletReader
from wallet_svc.store import WalletStore

_DEADLINE_S = 60
_KILLS_MAX = 50  # then the callers get through, however slow the machine

Kill = Callable[[str], Awaitable[int]]


@pytest.fixture
def kill(postgres: PostgresServer, wallet_database: ServiceDatabase) -> Kill:
    """Make a function that ends the wallets' connections which a condition selects."""

    async def end(condition: str) -> int:
        url = postgres.url("postgres")
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as admin:
            ended = await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                f" WHERE datname = %s AND usename = 'wallet_svc_app' AND {condition}",
                [wallet_database.name],
            )
            return ended.rowcount

    return end


async def test_a_batch_that_dies_half_written_leaves_nothing(
    wallet_db: Database, wallet_database: ServiceDatabase, kill: Kill
) -> None:
    """Claims are written, the operations wait: the connection ends, all is gone."""
    store = WalletStore(wallet_db)
    await store.open_wallets([new_wallet(SELLER)])
    async with await psycopg.AsyncConnection.connect(wallet_database.owner_url) as owner:
        await owner.execute("LOCK TABLE operations IN EXCLUSIVE MODE")
        task = asyncio.create_task(store.do([operation("c:1")]))
        deadline = time.monotonic() + _DEADLINE_S
        waiting = "wait_event_type = 'Lock' AND query LIKE '%%INSERT INTO operations%%'"
        while not await kill(waiting):
            assert time.monotonic() < deadline
        with pytest.raises(Unavailable):
            await task

    assert await WalletReader(wallet_db).wallets([SELLER]) == [wallet()]
    (again,) = await store.do([operation("c:1")])

    assert isinstance(again, Applied)
    assert not again.replayed
    assert await faults(wallet_db) == {}


async def test_every_operation_happens_once_while_connections_die(
    wallet_db: Database, wallet_database: ServiceDatabase, kill: Kill
) -> None:
    """Callers who ask again until they are answered get each operation exactly once."""
    store = WalletStore(wallet_db)
    await store.open_wallets([new_wallet(SELLER)])
    struck, answered = asyncio.Event(), asyncio.Event()

    async def insist(asked: NewOperation) -> Applied:
        while True:
            try:
                (outcome,) = await store.do([asked])
            except Unavailable:
                continue
            assert isinstance(outcome, Applied)
            return outcome

    async def harass() -> int:
        ended = 0
        while not answered.is_set() and ended < _KILLS_MAX:
            ended += await kill("true")
            if ended:
                struck.set()
        return ended

    async def call(caller: int) -> list[Applied]:
        first = [await insist(operation(f"{caller}:{turn}", "1.00")) for turn in range(5)]
        await struck.wait()
        rest = [await insist(operation(f"{caller}:{turn}", "1.00")) for turn in range(5, 10)]
        return first + rest

    killer = asyncio.create_task(harass())
    applied = await asyncio.gather(*(call(caller) for caller in range(20)))
    answered.set()

    assert await killer > 0
    assert len({one.operation.sequence for some in applied for one in some}) == 200
    # By connections of its own: among the others are some that have died unnoticed.
    async with opened(wallet_database) as calm:
        (found,) = await WalletReader(calm).wallets([SELLER])
        assert (found.standing.pending, found.standing.operation_count) == (200, 200)
        assert await faults(calm) == {}
