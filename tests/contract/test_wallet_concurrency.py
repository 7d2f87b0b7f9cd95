"""Two instances on one database at once: hot wallets, the same ids, undo against do."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar

import pytest

from chassis.database import Database
from tests.conftest import opened
from tests.servers import ServiceDatabase
from tests.unit.wallet_svc.audit import faults
from tests.unit.wallet_svc.builders import OTHER, SELLER, new_wallet, operation
from wallet_svc.domain import errors
from wallet_svc.domain.operation import Kind, NewOperation, Reversal
from wallet_svc.domain.wallets import Applied, Closed
from wallet_svc.reader import WalletReader
from wallet_svc.store import WalletStore

Answer = TypeVar("Answer")
Pair = tuple[WalletStore, WalletStore]


@pytest.fixture
async def stores(wallet_database: ServiceDatabase) -> AsyncIterator[Pair]:
    """Make two stores, as two instances of the service would have."""
    async with opened(wallet_database) as one, opened(wallet_database) as other:
        pair = WalletStore(one), WalletStore(other)
        await pair[0].open_wallets([new_wallet(SELLER), new_wallet(OTHER)])
        yield pair


async def after(turns: int, call: Awaitable[Answer]) -> Answer:
    """Make a call after some turns of the event loop."""
    for _ in range(turns):
        await asyncio.sleep(0)
    return await call


async def test_an_operation_is_applied_once_by_whatever_path(
    stores: Pair, wallet_db: Database
) -> None:
    """Of many callers with one id exactly one applies; all get the same operation."""
    outcomes = await asyncio.gather(
        *(
            store.do([operation(f"c:{number}", "1.00")])
            for number in range(20)
            for store in stores * 4
        )
    )

    applied = [outcome for (outcome,) in outcomes if isinstance(outcome, Applied)]
    assert len(applied) == 160
    assert sum(not outcome.replayed for outcome in applied) == 20
    assert len({outcome.operation.sequence for outcome in applied}) == 20
    assert await faults(wallet_db) == {}


async def test_wallets_stay_true_under_load(stores: Pair, wallet_db: Database) -> None:
    """Credits, settlements and reversals of two instances on two wallets leave no wrong sum."""
    chance = random.Random(7)

    def some(prefix: str, count: int) -> list[NewOperation]:
        return [
            operation(
                f"{prefix}:{number}",
                f"{number % 5 + 1}.25",
                kind=Kind.CREDIT if number == 0 else chance.choice((Kind.CREDIT, Kind.SETTLE)),
                wallet_id=chance.choice((SELLER, OTHER)),
                subject_id=chance.choice(("pay_1", "pay_2")),
            )
            for number in range(count)
        ]

    async def call(store: WalletStore, caller: int) -> int:
        applied = 0
        for turn in range(4):
            asked = some(f"{caller}:{turn}", chance.choice((1, 1, 3, 40)))
            outcomes = [*await store.do(asked), *await store.do([Reversal(asked[0].operation_id)])]
            applied += sum(isinstance(outcome, Applied) for outcome in outcomes)
        return applied

    counts = await asyncio.gather(*(call(stores[caller % 2], caller) for caller in range(24)))

    (row,) = await wallet_db.run(lambda tx: tx.all("SELECT count(*) AS n FROM operations"))
    assert row["n"] == sum(counts)
    assert await faults(wallet_db) == {}


async def test_undo_races_do_to_one_of_two_ends(stores: Pair, wallet_db: Database) -> None:
    """Applied then reversed, or closed then refused: never both, never neither."""
    do, undo = stores
    chance = random.Random(11)
    ends = []
    for number in range(60):
        undo_first = chance.random() < 0.5
        # A few turns of the event loop between the two make every interleaving likely.
        head_start = chance.randrange(4)
        (done,), (undone,) = await asyncio.gather(
            after(head_start * undo_first, do.do([operation(f"c:{number}", "1.00")])),
            after(head_start * (not undo_first), undo.do([Reversal(f"c:{number}")])),
        )
        ends.append((type(done), type(undone)))

    assert set(ends) <= {(Applied, Applied), (errors.ReversedBeforeArrival, Closed)}
    assert await faults(wallet_db) == {}
    (found,) = await WalletReader(wallet_db).wallets([SELLER])
    assert found.standing.pending == 0
    assert found.standing.operation_count == 2 * ends.count((Applied, Applied))


async def test_reversals_race_each_other_to_one_reversal(stores: Pair, wallet_db: Database) -> None:
    """However many reverse credits at once, in whatever order, each is reversed once."""
    names = [f"c:{number}" for number in range(10)]
    await stores[0].do([operation(name) for name in names])

    answers = await asyncio.gather(
        *(store.do(list(map(Reversal, names[::step]))) for store in stores * 3 for step in (1, -1))
    )

    outcomes = [outcome for answer in answers for outcome in answer]
    assert all(isinstance(outcome, Applied) for outcome in outcomes)
    assert sum(not outcome.replayed for outcome in outcomes if isinstance(outcome, Applied)) == 10
    assert await faults(wallet_db) == {}


async def test_closings_race_each_other_to_one_closing(stores: Pair, wallet_db: Database) -> None:
    """However many close an id at once, all are answered, and it stays closed."""
    answers = await asyncio.gather(*(store.do([Reversal("c:1")]) for store in stores * 10))

    outcomes = [outcome for answer in answers for outcome in answer]
    assert all(isinstance(outcome, Closed) for outcome in outcomes)
    assert sum(not outcome.replayed for outcome in outcomes if isinstance(outcome, Closed)) == 1
    (late,) = await stores[1].do([operation("c:1")])
    assert isinstance(late, errors.ReversedBeforeArrival)
    assert await faults(wallet_db) == {}


async def test_wallets_open_once_by_whatever_path(stores: Pair) -> None:
    """Many openers of the same wallets, in any order, all get the same wallets."""
    asked = [new_wallet(f"w:{number}") for number in range(20)]

    answers = await asyncio.gather(
        *(store.open_wallets(asked[::step]) for store in stores * 5 for step in (1, -1))
    )

    assert all(list(answer) in (list(answers[0]), list(answers[0])[::-1]) for answer in answers)
