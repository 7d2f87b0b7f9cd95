"""One batch is written while the next is decided; whatever befalls the first, books are exact."""

import asyncio
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any

import psycopg
import pytest
from hypothesis import Phase, given, settings
from structlog.testing import capture_logs

from bookkeeping.pipeline import Pipeline
from chassis.clock import utc_now
from chassis.database import Database
from chassis.errors import Unavailable
from chassis.faults import FaultPoints
from ledger_svc.bookkeeper import LedgerBookkeeper
from ledger_svc.domain import errors
from ledger_svc.domain.account import AccountStatus
from ledger_svc.domain.books import Outcome, Posted
from ledger_svc.domain.posting import Command, Posting, Reversal
from ledger_svc.reader import LedgerReader
from ledger_svc.store import LedgerStore
from tests.conftest import opened
from tests.contract.dying_connections import Kill, end_whoever_waits
from tests.contract.meddled import FATES, Meddled
from tests.contract.test_ledger_crash import kill
from tests.servers import ServiceDatabase
from tests.unit.ledger_svc.audit import faults
from tests.unit.ledger_svc.builders import CLEARING, SELLER, new_account, open_two, posting
from tests.unit.ledger_svc.commands import PLACES, batches
from tests.unit.ledger_svc.model import Model
from tests.unit.ledger_svc.test_books_machine import end

__all__ = ["kill"]

_STRANGER = ("cash", "seller", "fees")


class MeddledLedger(Meddled[Command]):
    """The ledger's, whose stream may be taken as well; the stranger posts."""

    def __init__(self, database: Database, owner_url: str, seed: int) -> None:
        super().__init__(database, seed, ["stream taken"])
        self._owner_url = owner_url
        self._stranger = LedgerStore(database)

    def batch_of(self, work: Any) -> tuple[str, Sequence[Command]] | None:
        """Tell by the names of what it is given."""
        told = work.keywords if isinstance(work, partial) else {}
        if "batch" in told:
            return "ahead", told["batch"].commands
        return ("locked", told["commands"]) if "commands" in told else None

    async def meddle(self, fate: str) -> None:
        """Post between two accounts, or take the stream."""
        if fate == "stranger":
            debit, credit = self.dice.sample(_STRANGER, 2)
            name = f"stranger:{self.met['stranger']}"
            theirs = [posting(name, "1.00", debit=debit, credit=credit)]
            await self._stranger.do(theirs)
            self.log.append(theirs)
        elif fate == "stream taken":
            async with await psycopg.AsyncConnection.connect(self._owner_url) as owner:
                await owner.execute("UPDATE streams SET epoch = epoch + 1")


@pytest.mark.parametrize("isolation", ["read committed", "serializable"])
async def test_batches_behind_each_other_equal_the_plain_model(
    ledger_database: ServiceDatabase, ledger_db: Database, isolation: str
) -> None:
    """Three batches at a time, of which any may fail, be overtaken, or lose its answer, come to
    what the model says that the committed ones come to, in their order.
    """
    async with await psycopg.AsyncConnection.connect(ledger_database.owner_url) as owner:
        await owner.execute(
            f"ALTER DATABASE {ledger_database.name}"
            f" SET default_transaction_isolation = '{isolation}'"
        )
    drawn: list[list[Command]] = []

    @settings(max_examples=90, phases=[Phase.generate], database=None, derandomize=True)
    @given(batches())
    def draw(commands: list[Command]) -> None:
        drawn.append(_fresh(commands, len(drawn) // 3))

    draw()
    async with opened(ledger_database) as database:
        meddled = MeddledLedger(database, ledger_database.owner_url, seed=len(isolation))
        pipeline = Pipeline(LedgerBookkeeper(meddled, utc_now, FaultPoints()))
        await _open_places(LedgerStore(database))
        meddled.is_calm = False
        answers: dict[int, Sequence[Outcome]] = {}  # by place in the log

        async def insist(commands: Sequence[Command]) -> None:
            while True:
                try:
                    outcomes = await pipeline.run(commands)
                except Unavailable:
                    continue
                last = max(n for n, done in enumerate(meddled.log) if done is commands)
                answers[last] = outcomes
                return

        for first in range(0, len(drawn), 3):
            await asyncio.gather(*map(insist, drawn[first : first + 3]))

    model = Model(deepcopy(PLACES))
    for place, commands in enumerate(meddled.log):
        ends = model.batch(list(commands), utc_now())
        if place in answers:
            assert [end(outcome) for outcome in answers[place]] == ends
    assert len(answers) == len(drawn)
    assert min(meddled.met[met] for met in ("ahead", "locked", "stream taken", *FATES)) > 3
    for account in await LedgerReader(ledger_db).accounts(list(PLACES)):
        assert account.balance.amount == model.balance(account.account_id)
    assert await faults(ledger_db) == {}


def _fresh(commands: Sequence[Command], group: int) -> list[Command]:
    """Give postings references that the batches of a group share, and undo half of the others."""
    return [
        replace(c, reference=f"{group}:{c.reference}") if isinstance(c, Posting) else c
        for c in commands
        if isinstance(c, Posting) or group % 2
    ] or [posting(f"{group}:alone", debit="cash", credit="seller")]


async def _open_places(store: LedgerStore) -> None:
    await store.open_accounts(
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
    await store.change_status("frozen", AccountStatus.FROZEN, reason="as drawn", actor="me")


async def test_a_reference_that_is_known_is_refused_without_another_look(
    ledger_db: Database,
) -> None:
    """Who asks for it with other entries, again and again, slows nobody down."""
    store = LedgerStore(ledger_db)
    await open_two(store)
    await store.do([posting("a", "1.00")])
    linked = replace(posting("a", "1.00"), is_linked=True)

    with capture_logs() as log:
        (reused,) = await store.do([posting("a", "2.00")])
        outcomes = await store.do([linked, posting("b", "1.00", debit="nobody")])

    assert isinstance(reused, errors.ReferenceReused)
    assert [type(one) for one in outcomes] == [errors.LinkedRefused, errors.AccountNotFound]
    assert "decided_again" not in [line["event"] for line in log]


async def test_a_batch_behind_one_that_dies_is_decided_again(
    ledger_db: Database, ledger_database: ServiceDatabase, kill: Kill
) -> None:
    """The second was decided on what the first would leave; the first leaves nothing."""
    store = LedgerStore(ledger_db)
    await open_two(store)
    await store.do([posting(f"warm:{n}", "1.00") for n in range(10)])
    async with await psycopg.AsyncConnection.connect(ledger_database.owner_url) as owner:
        await owner.execute("LOCK TABLE entries IN EXCLUSIVE MODE")
        first = asyncio.create_task(store.do([posting(f"a:{n}", "1.00") for n in range(300)]))
        second = asyncio.create_task(store.do([posting(f"b:{n}", "1.00") for n in range(300)]))
        await end_whoever_waits(kill, "INSERT INTO entries")
        with pytest.raises(Unavailable):
            await first
        assert not second.done()

    outcomes = await second

    assert all(isinstance(outcome, Posted) and not outcome.replayed for outcome in outcomes)
    (seller,) = await LedgerReader(ledger_db).accounts([SELLER])
    assert (str(seller.balance), seller.standing.entry_count) == ("310.00", 310)
    assert await faults(ledger_db) == {}


async def test_what_was_refused_by_hearsay_is_asked_again(ledger_db: Database) -> None:
    """What one instance knows of an account, another has changed: no refusal comes of it."""
    one, other = LedgerStore(ledger_db), LedgerStore(ledger_db)
    await open_two(one)
    await one.do([posting("a", "1.00")])
    await one.change_status(SELLER, AccountStatus.FROZEN, reason="look", actor="me")
    (refused,) = await one.do([posting("b", "1.00")])
    await other.change_status(SELLER, AccountStatus.OPEN, reason="looked", actor="me")

    (posted,) = await one.do([posting("b", "1.00")])

    assert isinstance(refused, errors.AccountFrozen)
    assert isinstance(posted, Posted)
    assert await faults(ledger_db) == {}


async def test_a_replay_of_what_was_written_lately_needs_no_lock(
    ledger_db: Database, ledger_database: ServiceDatabase
) -> None:
    """Among new ones, alone, or before the first is on disk, it is told ahead, as the first was;
    one with other entries is refused so; a stranger's is looked up.
    """
    counting = MeddledLedger(ledger_db, ledger_database.owner_url, seed=1)
    counting.fates = ("nothing",)
    stranger = LedgerStore(ledger_db)
    pipeline = Pipeline(LedgerBookkeeper(counting, utc_now, FaultPoints()))
    await open_two(stranger)
    await stranger.do([posting("theirs", "1.00")])
    counting.is_calm = False
    firsts = [posting(f"a:{n}", "1.00") for n in range(30)]

    first, again = await asyncio.gather(
        pipeline.run(firsts), pipeline.run([*firsts, posting("b", "1.00")])
    )
    alone = await pipeline.run(firsts[:1])

    assert (counting.met["ahead"], counting.met["locked"]) == (3, 0)
    told = [replay for replay in [*again, *alone] if isinstance(replay, Posted)]
    assert [replay.replayed for replay in told] == [True] * 30 + [False, True]
    assert told[:30] == [replace(one, replayed=True) for one in first if isinstance(one, Posted)]
    (other,) = await pipeline.run([posting("a:0", "2.00")])
    (theirs,) = await pipeline.run([posting("theirs", "1.00")])
    assert isinstance(other, errors.ReferenceReused)
    assert isinstance(theirs, Posted)
    assert theirs.replayed
    assert counting.met["locked"] == 1
    assert await faults(ledger_db) == {}


async def test_a_replay_is_told_though_the_same_would_be_refused_now(ledger_db: Database) -> None:
    """A reference that is there answers as the first time, whatever became of its accounts."""
    store = LedgerStore(ledger_db)
    await open_two(store)
    (first,) = await store.do([posting("a", "1.00")])
    await store.do([Reversal("a", "undo")])
    await store.change_status(SELLER, AccountStatus.CLOSED, reason="done", actor="me")

    again, refused = await store.do([posting("a", "1.00"), posting("b", "1.00")])

    assert isinstance(first, Posted)
    assert isinstance(again, Posted)
    assert again.replayed
    assert again.transaction == first.transaction
    assert isinstance(refused, errors.AccountClosed)


async def test_where_strangers_write_what_is_known_is_asked_less_often(
    ledger_db: Database, ledger_database: ServiceDatabase
) -> None:
    """Two instances on one hot account overtake each other; soon they lock at once."""
    counting = MeddledLedger(ledger_db, ledger_database.owner_url, seed=1)
    counting.fates = ("nothing",)
    counting.is_calm = False
    stranger = LedgerStore(ledger_db)
    pipeline = Pipeline(LedgerBookkeeper(counting, utc_now, FaultPoints()))
    await open_two(stranger)
    for turn in range(100):
        await pipeline.run([posting(f"mine:{turn}", "1.00")])
        await stranger.do([posting(f"theirs:{turn}", "1.00", debit=CLEARING)])

    assert counting.met["locked"] >= 90
    assert counting.met["ahead"] <= 20
    assert await faults(ledger_db) == {}
