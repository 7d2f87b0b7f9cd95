"""A database that dies under the ledger: no half transaction, and asking again is safe."""

import asyncio

import psycopg
import pytest

from chassis.database import Database
from chassis.errors import Unavailable
from ledger_svc.domain.books import Posted
from ledger_svc.reader import LedgerReader
from ledger_svc.store import LedgerStore
from tests.conftest import opened
from tests.contract.dying_connections import Kill, asked_by_many, end_whoever_waits, killer
from tests.servers import PostgresServer, ServiceDatabase
from tests.unit.ledger_svc.audit import faults
from tests.unit.ledger_svc.builders import SELLER, open_two, posting


@pytest.fixture
def kill(postgres: PostgresServer, ledger_database: ServiceDatabase) -> Kill:
    """Make a function that ends the service's connections which a condition selects."""
    return killer(postgres, ledger_database, "ledger_svc_app")


async def test_a_batch_that_dies_half_written_leaves_nothing(
    ledger_db: Database, ledger_database: ServiceDatabase, kill: Kill
) -> None:
    """Claims and transactions are written, the entries wait: the connection ends, all is gone."""
    store = LedgerStore(ledger_db)
    await open_two(store)
    async with await psycopg.AsyncConnection.connect(ledger_database.owner_url) as owner:
        await owner.execute("LOCK TABLE entries IN EXCLUSIVE MODE")
        task = asyncio.create_task(store.do([posting("charge:1")]))
        await end_whoever_waits(kill, "INSERT INTO entries")
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

    async def post(reference: str) -> str:
        (outcome,) = await store.do([posting(reference, "1.00")])
        assert isinstance(outcome, Posted)
        return outcome.transaction.transaction_id

    posted = await asked_by_many(kill, post)

    assert len(set(posted)) == 200
    # By connections of its own: among the others are some that have died unnoticed.
    async with opened(ledger_database) as calm:
        account = (await LedgerReader(calm).accounts([SELLER]))[0]
        assert (str(account.balance), account.standing.entry_count) == ("200.00", 200)
        assert await faults(calm) == {}
