"""One batch is written while the next is decided; whatever befalls the first, wallets are exact."""

import asyncio
import random
from collections.abc import Sequence
from functools import partial
from typing import Any

import psycopg
import pytest

from bookkeeping.pipeline import Pipeline
from chassis.clock import utc_now
from chassis.database import Database
from chassis.errors import Unavailable
from chassis.faults import FaultPoints
from tests.conftest import opened
from tests.contract.dying_connections import Kill, end_whoever_waits
from tests.contract.meddled import FATES, Meddled
from tests.contract.test_wallet_crash import kill
from tests.servers import ServiceDatabase
from tests.unit.wallet_svc.audit import faults
from tests.unit.wallet_svc.builders import OTHER, SELLER, new_wallet, operation
from tests.unit.wallet_svc.model import Model, Purse
from wallet_svc import lookup
from wallet_svc.bookkeeper import WalletBookkeeper
from wallet_svc.domain import errors
from wallet_svc.domain.operation import Command, Kind, Reversal
from wallet_svc.domain.wallet import WalletStatus
from wallet_svc.domain.wallets import Applied, Closed, ReversalOutcome
from wallet_svc.reader import WalletReader
from wallet_svc.store import WalletStore

__all__ = ["kill"]

_PLAIN = (Kind.CREDIT, Kind.SETTLE, Kind.DEBIT, Kind.TRANSFER)


class MeddledWallets(Meddled[Command]):
    """The wallets', whose stranger applies operations. `asked` is what batches there may be."""

    def __init__(self, database: Database, seed: int) -> None:
        super().__init__(database, seed)
        self._stranger = WalletStore(database)
        self.asked: Sequence[Sequence[Command]] = ()

    def batch_of(self, work: Any) -> tuple[str, Sequence[Command]] | None:
        """Tell by the names of what it is given; of which batch rows are, by what they claim."""
        told = work.keywords if isinstance(work, partial) else {}
        if "rows" in told:
            claims = set(told["rows"]["claims"].strip('{"}').split('","'))
            return "ahead", next(c for c in self.asked if claims == lookup.results(c))
        return ("locked", told["commands"]) if "commands" in told else None

    async def meddle(self, fate: str) -> None:
        """Apply an operation."""
        if fate == "stranger":
            theirs = [operation(f"stranger:{self.met['stranger']}", "1.00")]
            await self._stranger.do(theirs)
            self.log.append(theirs)


@pytest.mark.parametrize("isolation", ["read committed", "serializable"])
async def test_batches_behind_each_other_come_to_what_one_after_the_other_would(
    wallet_database: ServiceDatabase, wallet_db: Database, isolation: str
) -> None:
    """Three batches at a time, of which any may fail, be overtaken, or lose its answer, come to
    what the rules say that the committed ones come to, in their order, with all that was known.
    """
    async with await psycopg.AsyncConnection.connect(wallet_database.owner_url) as owner:
        await owner.execute(
            f"ALTER DATABASE {wallet_database.name}"
            f" SET default_transaction_isolation = '{isolation}'"
        )
    chance = random.Random(3)
    drawn = [_batch(chance, number) for number in range(90)]
    async with opened(wallet_database) as database:
        meddled = MeddledWallets(database, seed=len(isolation))
        pipeline = Pipeline(WalletBookkeeper(meddled, utc_now, FaultPoints()))
        await WalletStore(database).open_wallets([new_wallet(SELLER), new_wallet(OTHER)])
        meddled.is_calm = False
        meddled.asked = drawn
        answers: dict[int, Sequence[ReversalOutcome]] = {}  # by place in the log

        async def insist(commands: Sequence[Command]) -> None:
            while True:
                try:
                    outcomes = await pipeline.run(commands)
                except Unavailable:
                    continue
                answers[max(n for n, done in enumerate(meddled.log) if done is commands)] = outcomes
                return

        for first in range(0, len(drawn), 3):
            await asyncio.gather(*map(insist, drawn[first : first + 3]))

    model = Model({SELLER: Purse(), OTHER: Purse()})
    for place, commands in enumerate(meddled.log):
        ends = [_in_model(model, command) for command in commands]
        if place in answers:
            assert list(map(_end, answers[place])) == ends
    assert len(answers) == len(drawn)
    assert min(meddled.met[met] for met in ("ahead", "locked", *FATES)) > 3
    for wallet in await WalletReader(wallet_db).wallets([SELLER, OTHER]):
        purse, standing = model.purses[wallet.wallet_id], wallet.standing
        cents = [int(amount * 100) for amount in standing[:3]]
        assert [*cents, standing.version] == [
            purse.pending,
            purse.available,
            purse.held,
            purse.version,
        ]
    assert await faults(wallet_db) == {}


def _batch(chance: random.Random, number: int) -> list[Command]:
    """Draw a batch: most ask for what wallets alone decide, some ids are of the batch before."""
    kinds = _PLAIN * 4 + ((Kind.REFUND,) if chance.random() < 0.2 else ())
    made: list[Command] = []
    for place in range(chance.randint(1, 6)):
        wallet_id, other = chance.sample((SELLER, OTHER), 2)
        kind = chance.choice(kinds) if place else Kind.CREDIT
        made.append(
            operation(
                f"{number - (chance.random() < 0.05)}:{place}",
                f"{chance.randint(1, 9)}.25",
                kind=kind,
                wallet_id=wallet_id,
                subject_id=chance.choice(("pay_1", "pay_2")),
                refers_to=other if kind is Kind.TRANSFER else "",
            )
        )
    if chance.random() < 0.1:
        made.append(Reversal(f"{number}:0"))
    return made


def _in_model(model: Model, command: Command) -> str:
    if isinstance(command, Reversal):
        return str(model.reverse(command.operation_id))
    return str(model.apply(command, None))


def _end(outcome: ReversalOutcome) -> str:
    if isinstance(outcome, Applied):
        return "REPLAYED" if outcome.replayed else ""
    return "CLOSED" if isinstance(outcome, Closed) else outcome.reason


async def test_a_batch_behind_one_that_dies_is_decided_again(
    wallet_db: Database, wallet_database: ServiceDatabase, kill: Kill
) -> None:
    """The second was decided on what the first would leave; the first leaves nothing."""
    store = WalletStore(wallet_db)
    await store.open_wallets([new_wallet(SELLER)])
    await store.do([operation(f"warm:{n}", "1.00") for n in range(10)])
    async with await psycopg.AsyncConnection.connect(wallet_database.owner_url) as owner:
        await owner.execute("LOCK TABLE operations IN EXCLUSIVE MODE")
        first = asyncio.create_task(store.do([operation(f"a:{n}", "1.00") for n in range(300)]))
        second = asyncio.create_task(store.do([operation(f"b:{n}", "1.00") for n in range(300)]))
        await end_whoever_waits(kill, "INSERT INTO operations")
        with pytest.raises(Unavailable):
            await first
        assert not second.done()

    outcomes = await second

    assert all(isinstance(outcome, Applied) and not outcome.replayed for outcome in outcomes)
    (seller,) = await WalletReader(wallet_db).wallets([SELLER])
    assert (int(seller.standing.pending), seller.standing.operation_count) == (310, 310)
    assert await faults(wallet_db) == {}


async def test_what_was_refused_by_hearsay_is_asked_again(wallet_db: Database) -> None:
    """What one instance knows of a wallet, another has changed: no refusal comes of it."""
    one, other = WalletStore(wallet_db), WalletStore(wallet_db)
    await one.open_wallets([new_wallet(SELLER)])
    await one.do([operation("a", "1.00")])
    await one.change_status(SELLER, WalletStatus.FROZEN, reason="look", actor="me")
    (refused,) = await one.do([operation("b", "1.00")])
    await other.change_status(SELLER, WalletStatus.OPEN, reason="looked", actor="me")

    (applied,) = await one.do([operation("b", "1.00")])

    assert isinstance(refused, errors.WalletFrozen)
    assert isinstance(applied, Applied)


async def test_where_strangers_write_what_is_known_is_asked_less_often(
    wallet_db: Database,
) -> None:
    """Two instances on one hot wallet overtake each other; soon they lock at once."""
    counting = MeddledWallets(wallet_db, seed=1)
    counting.fates = ("nothing",)
    counting.is_calm = False
    stranger = WalletStore(wallet_db)
    pipeline = Pipeline(WalletBookkeeper(counting, utc_now, FaultPoints()))
    await stranger.open_wallets([new_wallet(SELLER)])
    mine: list[list[Command]] = [[operation(f"mine:{turn}", "1.00")] for turn in range(100)]
    counting.asked = mine
    for turn, commands in enumerate(mine):
        await pipeline.run(commands)
        await stranger.do([operation(f"theirs:{turn}", "1.00")])

    assert counting.met["locked"] >= 90
    assert counting.met["ahead"] <= 20
    assert await faults(wallet_db) == {}
