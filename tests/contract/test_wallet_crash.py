"""A database that dies under the wallets: no half operation, and asking again is safe."""

import asyncio

import psycopg
import pytest

from chassis.database import Database
from chassis.errors import Unavailable
from tests.conftest import opened
from tests.contract.dying_connections import Kill, asked_by_many, end_whoever_waits, killer
from tests.servers import PostgresServer, ServiceDatabase
from tests.unit.wallet_svc.audit import faults
from tests.unit.wallet_svc.builders import SELLER, new_wallet, operation, wallet
from wallet_svc.domain.wallets import Applied
from wallet_svc.reader import WalletReader
from wallet_svc.store import WalletStore


@pytest.fixture
def kill(postgres: PostgresServer, wallet_database: ServiceDatabase) -> Kill:
    """Make a function that ends the service's connections which a condition selects."""
    return killer(postgres, wallet_database, "wallet_svc_app")


async def test_a_batch_that_dies_half_written_leaves_nothing(
    wallet_db: Database, wallet_database: ServiceDatabase, kill: Kill
) -> None:
    """Claims are written, the operations wait: the connection ends, all is gone."""
    store = WalletStore(wallet_db)
    await store.open_wallets([new_wallet(SELLER)])
    async with await psycopg.AsyncConnection.connect(wallet_database.owner_url) as owner:
        await owner.execute("LOCK TABLE operations IN EXCLUSIVE MODE")
        task = asyncio.create_task(store.do([operation("c:1")]))
        await end_whoever_waits(kill, "INSERT INTO operations")
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

    async def apply(operation_id: str) -> int:
        (outcome,) = await store.do([operation(operation_id, "1.00")])
        assert isinstance(outcome, Applied)
        return outcome.operation.sequence

    applied = await asked_by_many(kill, apply)

    assert len(set(applied)) == 200
    # By connections of its own: among the others are some that have died unnoticed.
    async with opened(wallet_database) as calm:
        (found,) = await WalletReader(calm).wallets([SELLER])
        assert (found.standing.pending, found.standing.operation_count) == (200, 200)
        assert await faults(calm) == {}
