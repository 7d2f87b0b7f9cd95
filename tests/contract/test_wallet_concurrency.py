"""Two instances on one database at once: hot wallets, the same ids, undo against do."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TypeVar

import psycopg
import pytest

from chassis.database import Database
from chassis.errors import Unavailable
from tests.conftest import opened
from tests.servers import ServiceDatabase
from tests.unit.wallet_svc.audit import faults
from tests.unit.wallet_svc.builders import OTHER, SELLER, new_wallet, operation
from wallet_svc.domain import errors
from wallet_svc.domain.operation import OF_A_HOLD, Kind, NewOperation, Reversal
from wallet_svc.domain.wallet import Changed, WalletStatus
from wallet_svc.domain.wallets import Applied, Closed, ReversalOutcome
from wallet_svc.reader import WalletReader
from wallet_svc.store import WalletStore

Answer = TypeVar("Answer")
Pair = tuple[WalletStore, WalletStore]


@pytest.fixture(params=["read committed", "serializable"])
async def stores(
    wallet_database: ServiceDatabase, request: pytest.FixtureRequest
) -> AsyncIterator[Pair]:
    """Make two stores, as two instances of the service would have, at either isolation."""
    async with await psycopg.AsyncConnection.connect(wallet_database.owner_url) as owner:
        await owner.execute(
            f"ALTER DATABASE {wallet_database.name}"
            f" SET default_transaction_isolation = '{request.param}'"
        )
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


KINDS = (
    Kind.CREDIT, Kind.CREDIT, Kind.CREDIT, Kind.SETTLE, Kind.SETTLE, Kind.DEBIT, Kind.REFUND,
    Kind.CHARGEBACK, Kind.HOLD, Kind.HOLD, Kind.CAPTURE_HOLD, Kind.RELEASE, Kind.TRANSFER,
)  # fmt: skip


def some(chance: random.Random, prefix: str, count: int) -> list[NewOperation]:
    """Make operations of every kind on two wallets, some linked; the first is a credit."""
    made: list[NewOperation] = []
    holds: list[NewOperation] = []
    for number in range(count):
        kind = chance.choice(KINDS) if number else Kind.CREDIT
        wallet_id = chance.choice((SELLER, OTHER))
        refers_to = (OTHER if wallet_id == SELLER else SELLER) if kind is Kind.TRANSFER else ""
        if kind in OF_A_HOLD:
            hold = chance.choice(holds or made)  # a credit is no hold, which is refused
            refers_to, wallet_id = hold.operation_id, hold.wallet_id
        asked = operation(
            f"{prefix}:{number}",
            "0" if kind is Kind.RELEASE else f"{number % 5 + 1}.25",
            kind=kind,
            wallet_id=wallet_id,
            subject_id=chance.choice(("pay_1", "pay_2")),
            refers_to=refers_to,
            releases_rest=kind is Kind.CAPTURE_HOLD and chance.random() < 0.5,
            linked=number + 1 < count and chance.random() < 0.1,
        )
        made.append(asked)
        if kind is Kind.HOLD:
            holds.append(asked)
    return made


async def test_wallets_stay_true_under_load(stores: Pair, wallet_db: Database) -> None:
    """Every kind of operation, and reversals, of two instances on two wallets leave no wrong sum;
    what is sent twice, from both, is done once.
    """
    for name in (SELLER, OTHER):
        await stores[0].set_credit_limit(name, "100", reason="a test", actor="tester")

    async def call(caller: int) -> None:
        chance = random.Random(caller)
        for turn in range(4):
            asked = some(chance, f"{caller}:{turn}", chance.choice((1, 3, 8, 60)))
            first, second = await asyncio.gather(*(store.do(asked) for store in stores))
            await stores[caller % 2].do([Reversal(asked[0].operation_id)])
            for one, other in zip(first, second, strict=True):
                if isinstance(one, Applied) and isinstance(other, Applied):
                    assert one.operation == other.operation
                    assert one.replayed or other.replayed

    await asyncio.gather(*(call(caller) for caller in range(24)))

    kinds = await wallet_db.read("SELECT kind, count(*) AS n FROM operations GROUP BY kind")
    assert {row["kind"] for row in kinds} == {kind.value for kind in Kind} - {"EXPIRE"}
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


async def test_changes_race_operations_on_a_hot_wallet(stores: Pair, wallet_db: Database) -> None:
    """Operators change limit and status of a wallet that both instances move money on: every change
    is made and kept, and what a frozen wallet refuses is all that is refused.
    """
    outcomes: list[ReversalOutcome] = []

    async def move(store: WalletStore, caller: int) -> None:
        for turn in range(25):
            credit = [operation(f"{caller}:{turn}", "1.00")]
            outcomes.extend(await _patiently(partial(store.do, credit)))

    async def change(store: WalletStore, caller: int) -> None:
        for turn in range(4):
            told = {"reason": f"{caller}:{turn}", "actor": "tester"}
            limit = partial(store.set_credit_limit, SELLER, f"{caller + 1}{turn}", **told)
            await _patiently(limit)
            for status in (WalletStatus.FROZEN, WalletStatus.OPEN):
                await _patiently(partial(store.change_status, SELLER, status, **told))

    await asyncio.gather(
        *(move(stores[caller % 2], caller) for caller in range(16)),
        *(change(stores[caller % 2], caller) for caller in range(4)),
    )

    applied = [outcome for outcome in outcomes if isinstance(outcome, Applied)]
    refused = [outcome for outcome in outcomes if not isinstance(outcome, Applied)]
    assert {type(outcome) for outcome in refused} <= {errors.WalletFrozen}
    reader = WalletReader(wallet_db)
    (found,) = await reader.wallets([SELLER])
    changes = await reader.changes(SELLER, before=2**62, limit=500)
    limits = {change.reason for change in changes if change.what is Changed.CREDIT_LIMIT}
    assert limits == {f"{caller}:{turn}" for caller in range(4) for turn in range(4)}
    assert found.standing.pending == len(applied)
    assert found.standing.version == 1 + len(applied) + len(changes)
    assert await faults(wallet_db) == {}


async def _patiently(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Ask again while too many want the same: where all is serializable, most of them lose."""
    while True:
        try:
            return await ask()
        except Unavailable:
            await asyncio.sleep(0)
