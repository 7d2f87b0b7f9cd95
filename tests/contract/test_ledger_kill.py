"""kill -9 of the service and of PostgreSQL in mid-batch: what was answered is there, and whole."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
from paymesh.ledger.v1 import ledger_pb2 as noun
from paymesh.ledger.v1 import ledger_service_pb2 as service
from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub

from chassis.database import Database
from chassis.errors import Unavailable
from ledger_svc.domain.books import Posted
from ledger_svc.reader import LedgerReader
from ledger_svc.store import LedgerStore
from tests.conftest import opened
from tests.contract.test_ledger_process import started
from tests.servers import PostgresServer, ServiceDatabase
from tests.unit.ledger_svc.audit import faults
from tests.unit.ledger_svc.builders import (
    CLEARING,
    SELLER,
    open_two,
    posting,
    wire_account,
    wire_posting,
)

_CALLERS, _BATCH = 8, 50
_ANSWERS_BEFORE_THE_KILL = 12


@pytest.mark.parametrize("attempt", range(3))
async def test_the_service_dies_in_mid_batch(
    ledger_database: ServiceDatabase, ledger_db: Database, attempt: int
) -> None:
    """Every batch that was answered stands whole, every other whole or not at all."""
    answered: set[str] = set()
    with started(ledger_database) as (process, address):
        async with grpc.aio.insecure_channel(address) as channel:
            ledger = LedgerServiceStub(channel)
            accounts = [
                wire_account(CLEARING, noun.Account.ASSET),
                wire_account(SELLER, noun.Account.LIABILITY),
            ]
            await ledger.OpenAccounts(service.OpenAccountsRequest(accounts=accounts))

            async def call(caller: int) -> None:
                turn = 0
                while True:
                    names = [f"{caller}:{turn}:{n}" for n in range(_BATCH)]
                    request = service.PostTransactionsRequest(
                        postings=[wire_posting(name, "1.00") for name in names]
                    )
                    response = await ledger.PostTransactions(request)
                    assert all(result.HasField("transaction") for result in response.results)
                    answered.update(names)
                    turn += 1
                    if len(answered) >= (_ANSWERS_BEFORE_THE_KILL + attempt) * _BATCH:
                        process.kill()

            with suppress(grpc.aio.AioRpcError):
                await asyncio.gather(*map(call, range(_CALLERS)))

    written = await _references(ledger_db)
    assert answered <= written
    batches = {name.rsplit(":", 1)[0] for name in written}
    assert len(written) == len(batches) * _BATCH
    assert await faults(ledger_db) == {}


@pytest.fixture
async def mortal(tmp_path: Path) -> AsyncIterator[tuple[PostgresServer, ServiceDatabase]]:
    """Start a PostgreSQL of one's own, as durable as in production."""
    with PostgresServer.start(tmp_path, durable=True) as server:
        yield server, server.fresh_database("ledger_svc")


async def test_postgresql_dies_in_mid_batch(
    mortal: tuple[PostgresServer, ServiceDatabase],
) -> None:
    """After its recovery every answered posting is there, and asking again finishes the rest."""
    server, where = mortal
    async with opened(where) as database:
        store = LedgerStore(database)
        await open_two(store)
        names = [f"{caller}:{turn}" for caller in range(20) for turn in range(30)]
        answered: set[str] = set()

        async def call(name: str) -> None:
            with suppress(Unavailable):
                (outcome,) = await store.do([posting(name, "1.00")])
                assert isinstance(outcome, Posted)
                answered.add(name)

        async def kill() -> None:
            while len(answered) < len(names) // 4:
                await asyncio.sleep(0)
            await asyncio.to_thread(server.kill_and_start_again)

        await asyncio.gather(kill(), *map(call, names))
        # By connections of its own: among the others are some that have died unnoticed.
        async with opened(where) as calm:
            assert await _references(calm) >= answered

        while len(answered) < len(names):
            await asyncio.gather(*(call(name) for name in names if name not in answered))

    async with opened(where) as calm:
        (seller,) = await LedgerReader(calm).accounts([SELLER])
        assert (str(seller.balance), seller.standing.entry_count) == ("600.00", 600)
        assert await faults(calm) == {}


async def _references(database: Database) -> set[str]:
    return {row["reference"] for row in await database.read("SELECT reference FROM transactions")}
