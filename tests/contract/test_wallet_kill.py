"""kill -9 of PostgreSQL in mid-batch: what was answered is there, and asking again is safe."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from chassis.database import Database
from chassis.errors import Unavailable
from tests.conftest import opened
from tests.servers import PostgresServer, ServiceDatabase
from tests.unit.wallet_svc.audit import faults
from tests.unit.wallet_svc.builders import OTHER, SELLER, new_wallet, operation
from wallet_svc.domain.operation import Command, Kind, Reversal, reversal_id
from wallet_svc.domain.wallets import Applied
from wallet_svc.reader import WalletReader
from wallet_svc.store import WalletStore

_DEADLINE_S = 60
_CALLERS, _TURNS = 20, 30
_OF = {Kind.TRANSFER: OTHER, Kind.CAPTURE_HOLD: f"{{name}}:{Kind.HOLD}"}


@pytest.fixture(params=["read committed", "serializable"])
async def mortal(
    tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[PostgresServer, ServiceDatabase]]:
    """Start a PostgreSQL of one's own, as durable as in production, at either isolation."""
    with PostgresServer.start(tmp_path, durable=True) as server:
        where = server.fresh_database("wallet_svc")
        async with await psycopg.AsyncConnection.connect(where.owner_url) as owner:
            await owner.execute(
                f"ALTER DATABASE {where.name} SET default_transaction_isolation = '{request.param}'"
            )
        yield server, where


def asked(name: str, turn: int) -> Sequence[Command]:
    """Make what a caller asks at once, by turns what is decided ahead and what is under locks.

    Each time a dollar of the seller's is left in pending, and in one of four another's in
    available.
    """
    credit = operation(f"{name}:in", "1.00", subject_id=name)
    kinds: tuple[Kind, ...]
    match turn % 4:
        case 0:
            return [credit]
        case 1:
            return [operation(f"{name}:undone", "5.00"), Reversal(f"{name}:undone"), credit]
        case 2:
            kinds = (Kind.CREDIT, Kind.SETTLE, Kind.TRANSFER)
        case _:
            kinds = (Kind.CREDIT, Kind.SETTLE, Kind.HOLD, Kind.CAPTURE_HOLD)
    chain = [
        operation(
            f"{name}:{kind}",
            "2.00",
            kind=kind,
            subject_id=f"{name}:2",
            refers_to=_OF.get(kind, "").format(name=name),
            linked=kind is not kinds[-1],
        )
        for kind in kinds
    ]
    return [*chain, credit]


@pytest.mark.parametrize("turn", range(4))
async def test_postgresql_dies_with_a_batch_half_written(
    mortal: tuple[PostgresServer, ServiceDatabase], turn: int
) -> None:
    """Nothing of it is there; asked again it is done, once."""
    server, where = mortal
    commands = asked("half", turn)
    async with opened(where) as database:
        store = WalletStore(database)
        await store.open_wallets([new_wallet(SELLER), new_wallet(OTHER)])
        owner = await psycopg.AsyncConnection.connect(where.owner_url)
        await owner.execute("LOCK TABLE operations IN EXCLUSIVE MODE")
        writing = asyncio.create_task(store.do(commands))
        async with asyncio.timeout(_DEADLINE_S):
            while not await _waits_to_write(where):
                assert not writing.done()
        await asyncio.to_thread(server.kill_and_start_again)
        with pytest.raises(Unavailable):
            await writing
        with suppress(psycopg.Error):
            await owner.close()

    async with opened(where) as calm:
        assert await _operations(calm) == set()
        outcomes = await WalletStore(calm).do(commands)
        again = await WalletStore(calm).do(commands)
        assert [one.replayed for one in outcomes if isinstance(one, Applied)] == [False] * len(
            commands
        )
        assert [one.replayed for one in again if isinstance(one, Applied)] == [True] * len(commands)
        assert await faults(calm) == {}


async def test_postgresql_dies_in_mid_batch(
    mortal: tuple[PostgresServer, ServiceDatabase],
) -> None:
    """After its recovery every answered request is there whole, every other whole or not at all;
    asking again finishes the rest, each once.
    """
    server, where = mortal
    requests = {
        f"{caller}:{turn}": asked(f"{caller}:{turn}", turn)
        for caller in range(_CALLERS)
        for turn in range(_TURNS)
    }
    answered: set[str] = set()
    async with opened(where) as database:
        store = WalletStore(database)
        await store.open_wallets([new_wallet(SELLER), new_wallet(OTHER)])

        async def call(name: str) -> None:
            with suppress(Unavailable):
                outcomes = await store.do(requests[name])
                assert all(isinstance(outcome, Applied) for outcome in outcomes)
                answered.add(name)

        async def kill() -> None:
            while len(answered) < len(requests) // 4:
                await asyncio.sleep(0)
            await asyncio.to_thread(server.kill_and_start_again)

        await asyncio.gather(kill(), *map(call, requests))
        # By connections of its own: among the others are some that have died unnoticed.
        async with opened(where) as calm:
            written = await _operations(calm)
            for name, commands in requests.items():
                there = {made_by(command) in written for command in commands}
                assert there == {True} if name in answered else len(there) == 1
            assert await faults(calm) == {}

        while len(answered) < len(requests):
            await asyncio.gather(*(call(name) for name in requests if name not in answered))

    async with opened(where) as calm:
        seller, other = await WalletReader(calm).wallets(sorted((SELLER, OTHER)))
        quarter = _CALLERS * len([turn for turn in range(_TURNS) if turn % 4 == 2])
        standing = seller.standing
        assert standing.pending == len(requests)
        assert standing.available == standing.held == 0
        assert other.standing.available == 2 * quarter
        assert len(await _operations(calm)) == sum(map(len, requests.values())) + quarter
        assert await faults(calm) == {}


def made_by(command: Command) -> str:
    """Name the operation that a command makes."""
    is_reversal = isinstance(command, Reversal)
    return reversal_id(command.operation_id) if is_reversal else command.operation_id


async def _waits_to_write(where: ServiceDatabase) -> bool:
    """Tell whether a batch of the wallets waits for a lock, in the middle of its statement."""
    async with await psycopg.AsyncConnection.connect(where.owner_url) as owner:
        found = await owner.execute(
            "SELECT 1 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
            " WHERE c.relname = 'operations' AND NOT l.granted"
        )
        return bool(found.rowcount)


async def _operations(database: Database) -> set[str]:
    return {
        row["operation_id"] for row in await database.read("SELECT operation_id FROM operations")
    }
