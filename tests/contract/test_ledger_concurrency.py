"""Two ledgers on one database at once: hot accounts, the same references, undo against do."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import psycopg
import pytest
from hypothesis import Phase, given, settings

from chassis.clock import utc_now
from chassis.database import Database
from ledger_svc.domain import chain, errors
from ledger_svc.domain.account import AccountStatus, AccountType, Side
from ledger_svc.domain.books import Closed, Posted
from ledger_svc.domain.posting import Action, Command, Line, Posting, Resolution, Reversal
from ledger_svc.reader import LedgerReader
from ledger_svc.store import LedgerStore
from tests.conftest import opened
from tests.servers import ServiceDatabase
from tests.unit.ledger_svc.audit import faults
from tests.unit.ledger_svc.builders import CLEARING, SELLER, new_account, open_two, posting, usd
from tests.unit.ledger_svc.commands import PLACES, batches
from tests.unit.ledger_svc.model import Model
from tests.unit.ledger_svc.test_books_machine import end

Answer = TypeVar("Answer")
Pair = tuple[LedgerStore, LedgerStore]


@pytest.fixture(params=["read committed", "serializable"])
async def stores(
    ledger_database: ServiceDatabase, request: pytest.FixtureRequest
) -> AsyncIterator[Pair]:
    """Make two stores, as two instances of the service would have, at either isolation."""
    async with await psycopg.AsyncConnection.connect(ledger_database.owner_url) as owner:
        await owner.execute(
            f"ALTER DATABASE {ledger_database.name}"  # type: ignore[arg-type]
            f" SET default_transaction_isolation = '{request.param}'"
        )
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


async def test_a_pending_transaction_ends_in_one_way(stores: Pair, ledger_db: Database) -> None:
    """Of those who post, void and expire it at once, one wins; all who want the same agree."""
    await stores[0].do(
        [replace(posting(f"p:{number}", "1.00"), is_pending=True) for number in range(12)]
    )

    outcomes = await asyncio.gather(
        *(
            store.do([Resolution(f"p:{number}", action)])
            for number in range(12)
            for store in stores
            for action in (Action.POST, Action.VOID, Action.EXPIRE)
        )
    )

    ends = [outcome for (outcome,) in outcomes if isinstance(outcome, Posted)]
    assert sum(not outcome.replayed for outcome in ends) == 12
    assert len({outcome.transaction.transaction_id for outcome in ends}) == 12
    assert all(isinstance(outcome, Posted | errors.AlreadyResolved) for (outcome,) in outcomes)
    assert await ledger_db.read("SELECT * FROM open_pendings") == []
    assert await faults(ledger_db) == {}


async def test_parts_never_pass_the_whole(stores: Pair, ledger_db: Database) -> None:
    """However many take parts of a transaction back at once, together they take it and no more."""
    await stores[0].do([posting("charge:1", "10.00")])
    part = (
        Line(CLEARING, Side.DEBIT, usd("3.00")),
        Line(SELLER, Side.CREDIT, usd("3.00")),
    )

    outcomes = await asyncio.gather(
        *(
            stores[number % 2].do([Reversal("charge:1", "item", part, f"back:{number}")])
            for number in range(20)
        )
    )

    assert sum(isinstance(outcome, Posted) for (outcome,) in outcomes) == 3
    assert sum(isinstance(outcome, errors.PartTooLarge) for (outcome,) in outcomes) == 17
    (seller,) = await LedgerReader(ledger_db).accounts([SELLER])
    assert str(seller.balance) == "1.00"
    assert await faults(ledger_db) == {}


async def test_a_freeze_has_one_moment(stores: Pair, ledger_db: Database) -> None:
    """Each posting of a race with a freeze was written before it, or is refused."""
    one, other = stores

    async def freeze() -> None:
        await other.change_status(SELLER, AccountStatus.FROZEN, reason="asked to", actor="me")

    posts = [after(turn, one.do([posting(f"charge:{turn}", "1.00")])) for turn in range(60)]
    outcomes, _ = await asyncio.gather(asyncio.gather(*posts), after(20, freeze()))

    written = [o.transaction for (o,) in outcomes if isinstance(o, Posted)]
    refused = [o for (o,) in outcomes if isinstance(o, errors.AccountFrozen)]
    (change,) = await LedgerReader(ledger_db).account_changes(SELLER, before=99, limit=99)
    (seller,) = await LedgerReader(ledger_db).accounts([SELLER])
    assert len(written) + len(refused) == 60
    assert (change.reason, change.actor, change.to_status) == ("asked to", "me", "FROZEN")
    assert seller.standing.entry_count == len(written)
    assert await faults(ledger_db) == {}


async def test_a_writer_whose_stream_was_taken_writes_in_another(
    stores: Pair, ledger_database: ServiceDatabase, ledger_db: Database
) -> None:
    """A writer that slept past its lease finds its stream leased to another: no place twice."""
    one, other = stores
    await one.do([posting("a", "1.00")])
    async with await psycopg.AsyncConnection.connect(ledger_database.owner_url) as owner:
        await owner.execute("UPDATE streams SET leased_until = 'epoch'")
    (theirs,) = await other.do([posting("b", "1.00")])

    (mine,) = await one.do([posting("c", "1.00")])

    assert isinstance(theirs, Posted)
    assert isinstance(mine, Posted)
    places = [chain.place(o.transaction.transaction_id) for o in (theirs, mine)]
    assert places == [(1, 2), (2, 1)]
    assert await faults(ledger_db) == {}


async def test_batches_equal_the_plain_model(stores: Pair, ledger_db: Database) -> None:
    """The same commands, drawn at random, end on PostgreSQL as in the model."""
    model = Model(deepcopy(PLACES))
    await stores[0].open_accounts(
        [
            new_account(
                name,
                place.type,
                floor=None if place.floor is None else str(place.floor),
                ceiling=None if place.ceiling is None else str(place.ceiling),
            )
            for name, place in PLACES.items()
        ]
    )
    await stores[0].change_status("frozen", AccountStatus.FROZEN, reason="as drawn", actor="me")
    drawn: list[list[Command]] = []

    @settings(max_examples=60, phases=[Phase.generate], database=None, derandomize=True)
    @given(batches())
    def draw(commands: list[Command]) -> None:
        drawn.append(commands)

    draw()
    for number, commands in enumerate(drawn):
        outcomes = await stores[number % 2].do(commands)
        assert [end(outcome) for outcome in outcomes] == model.batch(commands, utc_now())

    for account in await LedgerReader(ledger_db).accounts(list(PLACES)):
        assert account.balance.amount == model.balance(account.account_id)
    assert await faults(ledger_db) == {}


async def test_a_writer_whose_clock_is_late_writes_after_what_is_there(ledger_db: Database) -> None:
    """An account's entries sort by time though clocks differ: by an hour, or by nothing at all."""
    now = utc_now().replace(microsecond=0)
    clocks = (now, now - timedelta(hours=1), now, now + timedelta(hours=1))
    await open_two(LedgerStore(ledger_db))
    last = now - timedelta(days=365)

    for number, moment in enumerate(clocks):
        store = LedgerStore(ledger_db, clock=lambda moment=moment: moment)  # type: ignore[misc]
        (outcome,) = await store.do([posting(f"charge:{number}", "1.00")])
        assert isinstance(outcome, Posted)
        assert outcome.transaction.created_at > last
        assert outcome.transaction.created_at >= moment
        last = outcome.transaction.created_at

    assert last == now + timedelta(hours=1)
    assert await faults(ledger_db) == {}
