"""Two ledgers on one database at once: hot accounts, the same references, undo against do."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar

import pytest

from chassis.database import Database
from ledger_svc.domain import errors
from ledger_svc.domain.account import AccountType
from ledger_svc.domain.books import Closed, Posted
from ledger_svc.domain.posting import Posting, Reversal
from ledger_svc.reader import LedgerReader
from ledger_svc.store import LedgerStore
from tests.conftest import opened
from tests.servers import ServiceDatabase
from tests.unit.ledger_svc.audit import faults
from tests.unit.ledger_svc.builders import CLEARING, SELLER, new_account, open_two, posting

Answer = TypeVar("Answer")
Pair = tuple[LedgerStore, LedgerStore]


@pytest.fixture
async def stores(
    ledger_database: ServiceDatabase,
) -> AsyncIterator[Pair]:
    """Make two stores, as two instances of the service would have."""
    async with opened(ledger_database) as one, opened(ledger_database) as other:
        pair = LedgerStore(one), LedgerStore(other)
        await open_two(pair[0])
        yield pair


async def test_a_reference_is_posted_once_by_whatever_path(
    stores: Pair, ledger_db: Database
) -> None:
    """Of many callers with one reference exactly one posts; all get the same transaction."""
    references = [f"charge:{number}" for number in range(20)]

    outcomes = await asyncio.gather(
        *(
            store.do([posting(reference, "1.00")])
            for reference in references
            for store in stores * 4
        )
    )

    posted = [outcome for (outcome,) in outcomes if isinstance(outcome, Posted)]
    assert len(posted) == 160
    assert sum(not outcome.replayed for outcome in posted) == 20
    assert len({outcome.transaction.transaction_id for outcome in posted}) == 20
    assert await faults(ledger_db) == {}


async def test_books_stay_true_under_hot_accounts(stores: Pair, ledger_db: Database) -> None:
    """Batches and single calls of two instances on few accounts leave no gap and no wrong sum."""
    names = [CLEARING, SELLER, "fees", "owners", "losses"]
    types = (AccountType.REVENUE, AccountType.EQUITY, AccountType.EXPENSE)
    await stores[0].open_accounts(
        [new_account(name, type_) for name, type_ in zip(names[2:], types, strict=True)]
    )
    chance = random.Random(7)

    def some(prefix: str, count: int) -> list[Posting]:
        pairs = [chance.sample(names, 2) for _ in range(count)]
        return [
            posting(f"{prefix}:{number}", f"{number + 1}.25", debit=debit, credit=credit)
            for number, (debit, credit) in enumerate(pairs)
        ]

    async def call(store: LedgerStore, caller: int) -> int:
        total = 0
        for turn in range(4):
            size = chance.choice((1, 1, 3, 40))
            total += len(await store.do(some(f"{caller}:{turn}", size)))
            await store.do([Reversal(f"{caller}:{turn}:0", "undo")])
        return total + 4

    counts = await asyncio.gather(*(call(stores[caller % 2], caller) for caller in range(24)))

    (row,) = await ledger_db.run(lambda tx: tx.all("SELECT count(*) AS n FROM transactions"))
    assert row["n"] == sum(counts)
    assert await faults(ledger_db) == {}
    lines = await LedgerReader(ledger_db).trial_balance(None)
    assert [line.debits - line.credits for line in lines] == [0]


async def after(turns: int, call: Awaitable[Answer]) -> Answer:
    """Make a call after some turns of the event loop."""
    for _ in range(turns):
        await asyncio.sleep(0)
    return await call


async def test_undo_races_do_to_one_of_two_ends(stores: Pair, ledger_db: Database) -> None:
    """Posted then reversed, or closed then refused: never both, never neither."""
    do, undo = stores
    chance = random.Random(11)
    ends = []
    for number in range(60):
        reference = f"charge:{number}"
        undo_first = chance.random() < 0.5
        # A few turns of the event loop between the two make every interleaving likely.
        head_start = chance.randrange(4)
        (done,), (undone,) = await asyncio.gather(
            after(head_start * undo_first, do.do([posting(reference, "1.00")])),
            after(head_start * (not undo_first), undo.do([Reversal(reference, "undo")])),
        )
        ends.append((type(done), type(undone)))

    assert set(ends) <= {(Posted, Posted), (errors.ReversedBeforeArrival, Closed)}
    assert await faults(ledger_db) == {}
    account = (await LedgerReader(ledger_db).accounts([SELLER]))[0]
    assert account.balance.amount == 0
    assert account.standing.entry_count == 2 * ends.count((Posted, Posted))


async def test_reversals_race_each_other_to_one_reversal(stores: Pair, ledger_db: Database) -> None:
    """However many reverse a transaction at once, it is reversed once."""
    await stores[0].do([posting(f"charge:{number}") for number in range(10)])

    outcomes = await asyncio.gather(
        *(
            store.do([Reversal(f"charge:{number}", "undo")])
            for number in range(10)
            for store in stores * 3
        )
    )

    posted = [outcome for (outcome,) in outcomes if isinstance(outcome, Posted)]
    assert len(posted) == 60
    assert sum(not outcome.replayed for outcome in posted) == 10
    assert await faults(ledger_db) == {}


async def test_closings_race_each_other_to_one_closing(stores: Pair, ledger_db: Database) -> None:
    """However many close a reference at once, all are answered, and it stays closed."""
    outcomes = await asyncio.gather(
        *(store.do([Reversal("charge:1", "undo")]) for store in stores * 10)
    )

    closed = [outcome for (outcome,) in outcomes if isinstance(outcome, Closed)]
    assert len(closed) == 20
    assert sum(not outcome.replayed for outcome in closed) == 1
    (late,) = await stores[1].do([posting("charge:1")])
    assert isinstance(late, errors.ReversedBeforeArrival)


async def test_accounts_open_once_by_whatever_path(
    stores: Pair,
) -> None:
    """Many openers of the same accounts, in any order, all get the same accounts."""
    asked = [new_account(f"a:{number}", AccountType.ASSET) for number in range(20)]

    answers = await asyncio.gather(
        *(store.open_accounts(asked[::step]) for store in stores * 5 for step in (1, -1))
    )

    assert all(list(answer) in (list(answers[0]), list(answers[0])[::-1]) for answer in answers)
