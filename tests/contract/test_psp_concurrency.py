"""Many gateways on one database at once: the row of what is held or charged is the lock."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from chassis.database import Database
from chassis.money import Money
from psp_gateway.domain.attempt import Attempt, Outcome
from psp_gateway.domain.errors import AlreadyCaptured, AlreadyVoided, RefundExceedsCharge
from psp_gateway.ports import Exchange, TakenUp
from psp_gateway.store import AttemptStore
from tests.conftest import opened
from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.fakes import expresses_all, takes_parts
from tests.unit.psp_gateway.test_take_further import new_capture, new_hold, new_refund, new_void

GATEWAYS = 16
ROUNDS = 20
Stores = Sequence[AttemptStore]


@pytest.fixture
async def stores(psp_database: ServiceDatabase) -> AsyncIterator[Stores]:
    """Make stores as so many gateways have them: none shares a batch with another, and each has a
    connection at once.
    """
    async with opened(psp_database) as one, opened(psp_database) as other:
        yield [
            AttemptStore(database, expresses_all, takes_parts)
            for database in (one, other) * (GATEWAYS // 2)
        ]


@pytest.fixture
async def psp_db(psp_database: ServiceDatabase) -> AsyncIterator[Database]:
    """A way to look at what is stored."""
    async with opened(psp_database) as database:
        yield database


async def succeeded(store: AttemptStore, attempt: Attempt) -> Attempt:
    """Store a success over what is stored."""
    done = replace(attempt, outcome=Outcome.SUCCEEDED, psp_reference=f"pi_{attempt.payment_id}")
    saved = await store.save(done, Exchange("test", "", ""))
    assert saved.is_held
    return saved.attempt


async def held(store: AttemptStore, number: int) -> Attempt:
    """Store an authorization that has succeeded."""
    asked = replace(new_hold(), attempt_id=f"att_{number}", payment_id=f"pay_{number}")
    stored = (await store.take_up_charge(asked)).attempt
    return await succeeded(store, replace(stored, expires_at=stored.created_at + timedelta(days=7)))


def about(charge: Attempt, asked: Attempt, gateway: int) -> Attempt:
    """Make what one gateway asks about a charge."""
    name = f"{charge.attempt_id}x{asked.kind.lower()}{gateway}"
    return replace(asked, attempt_id=name, charge_attempt_id=charge.attempt_id)


async def test_sixteen_words_at_once_end_a_hold_once(stores: Stores, psp_db: Database) -> None:
    """Of eight captures and eight voids, each in a transaction of its own, one is taken up, and all
    others are told which.
    """
    for number in range(ROUNDS):
        hold = await held(stores[0], number)
        answers = await asyncio.gather(
            *(
                store.take_up_hold(about(hold, new_void() if n % 2 else new_capture("1.00"), n))
                for n, store in enumerate(stores)
            )
        )

        (winner,) = [answer for answer in answers if isinstance(answer, TakenUp)]
        assert winner.is_new
        losers = [
            answer for answer in answers if isinstance(answer, AlreadyCaptured | AlreadyVoided)
        ]
        assert len(losers) == GATEWAYS - 1
        assert {loser.metadata["attemptId"] for loser in losers} == {winner.attempt.attempt_id}

    stored = await psp_db.read(
        "SELECT charge_attempt_id FROM attempts WHERE charge_attempt_id <> ''", []
    )
    assert Counter(row["charge_attempt_id"] for row in stored).most_common(1)[0][1] == 1
    assert len(stored) == ROUNDS


async def test_one_word_at_once_in_all_gateways_is_one(stores: Stores) -> None:
    """The same capture asked of every gateway at once is stored once, and is the answer of all."""
    for number in range(ROUNDS):
        hold = await held(stores[0], number)
        asked = about(hold, new_capture(), 0)

        answers = await asyncio.gather(*(store.take_up_hold(asked) for store in stores))

        taken = [answer for answer in answers if isinstance(answer, TakenUp)]
        assert len(taken) == GATEWAYS
        assert sum(answer.is_new for answer in taken) == 1


async def test_refunds_of_a_capture_at_once_never_pass_it(stores: Stores) -> None:
    """Of sixteen refunds of 10.00, four of 40.00 captured are taken up."""
    ten = replace(new_refund(), amount=Money.parse("10.00", "USD"))
    for number in range(ROUNDS):
        hold = await held(stores[0], number)
        taken = await stores[0].take_up_hold(about(hold, new_capture("40.00"), 0))
        assert isinstance(taken, TakenUp)
        capture = await succeeded(stores[0], taken.attempt)

        answers = await asyncio.gather(
            *(store.take_up_refund(about(capture, ten, n)) for n, store in enumerate(stores))
        )

        assert sum(isinstance(answer, TakenUp) for answer in answers) == 4
        assert sum(isinstance(answer, RefundExceedsCharge) for answer in answers) == GATEWAYS - 4
