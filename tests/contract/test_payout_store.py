"""The book of payouts in a real PostgreSQL: one attempt at a time, and forward only."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from itertools import product

import psycopg
import pytest

from chassis.database import Database
from chassis.money import Money
from psp_gateway.domain.attempt import Delivery
from psp_gateway.domain.errors import PayoutUnderWay
from psp_gateway.domain.payout import MOVES, Payout, State
from psp_gateway.payout_ports import PayoutTaken
from psp_gateway.payout_store import PayoutStore
from psp_gateway.ports import Exchange
from tests.builders import NOW
from tests.servers import ServiceDatabase

EXCHANGE = Exchange("SEND", "ANSWERED:SUCCEEDED", "200 req_1")


@pytest.fixture
async def store(psp_database: ServiceDatabase) -> AsyncIterator[PayoutStore]:
    """A book in a database of its own."""
    database = Database(psp_database.app_url, keyring=psp_database.keyring(), connections=4)
    await database.open()
    yield PayoutStore(database)
    await database.close()


def new(attempt_id: str = "att_1", payout_id: str = "pout_1") -> Payout:
    """Make a payout as it is asked."""
    return Payout(
        attempt_id=attempt_id,
        payout_id=payout_id,
        client_id="demo",
        psp="stripe",
        amount=Money.parse("25.00", "USD"),
        fingerprint="f",
        created_at=NOW,
        updated_at=NOW,
        key_since=NOW,
    )


def in_state(payout: Payout, state: State, reference: str = "tr_1") -> Payout:
    """Make a payout stand so."""
    paid = state in (State.PAID, State.RETURNED)
    return replace(
        payout,
        state=state,
        psp_reference=reference,
        paid_at=NOW if paid else None,
        updated_at=NOW + timedelta(seconds=1),
    )


async def stored(store: PayoutStore, attempt_id: str, payout_id: str, state: State) -> Payout:
    """Bring a payout into a state by moves that are allowed."""
    taken = await store.take_up(new(attempt_id, payout_id))
    assert isinstance(taken, PayoutTaken)
    found = taken.payout
    steps = [State.PAID, State.RETURNED] if state is State.RETURNED else [state]
    for step in steps if state is not State.PENDING else []:
        found = (await store.save(in_state(found, step), EXCHANGE)).payout
    assert found.state is state
    return found


async def test_what_is_stored_is_what_is_read(store: PayoutStore) -> None:
    """Every field comes back, by id, by payout and by the PSP's id."""
    await store.take_up(new())
    asked = replace(
        in_state(new(), State.PAID),
        delivery=Delivery.ANSWERED,
        reason="NO_USABLE_ANSWER",
        psp_code="c",
        message="m",
        request_count=3,
        sent_at=NOW + timedelta(seconds=2),
        key_since=NOW + timedelta(seconds=3),
    )
    saved = await store.save(asked, EXCHANGE)

    assert saved.is_held
    assert saved.payout == replace(asked, version=2)
    assert await store.find(["att_1", "att_none"]) == [saved.payout]
    assert await store.of_payout("pout_1") == [saved.payout]
    assert await store.of_reference("stripe", "tr_1") == [saved.payout]
    assert await store.of_reference("stripe", "") == []
    assert await store.of_payout("pout_2") == []


async def test_an_attempt_is_stored_once(store: PayoutStore) -> None:
    """Of twenty calls at once one has stored it, and all are answered with it."""
    asked = [new("att_1", f"pout_{n}") for n in range(20)]
    answers = await asyncio.gather(*map(store.take_up, [*reversed(asked), *asked]))

    taken = [answer for answer in answers if isinstance(answer, PayoutTaken)]
    assert [one.is_new for one in taken].count(True) == 1
    (row,) = await store.find(["att_1"])
    assert [one.payout for one in taken] == [row] * 40


async def test_attempts_at_one_payout_wait_for_each_other(
    store: PayoutStore, psp_database: ServiceDatabase
) -> None:
    """Over two instances at once, one of twenty is taken up, and the others are told which."""
    database = Database(psp_database.app_url, keyring=psp_database.keyring(), connections=4)
    await database.open()
    other = PayoutStore(database)
    asked = [new(f"att_{n:02}") for n in range(20)]
    answers = await asyncio.gather(
        *(book.take_up(one) for book, one in zip([store, other] * 10, asked, strict=True))
    )
    await database.close()

    taken = [a.payout.attempt_id for a in answers if isinstance(a, PayoutTaken)]
    refused = [a.metadata for a in answers if isinstance(a, PayoutUnderWay)]
    assert len(taken) == 1
    assert refused == [{"attemptId": taken[0]}] * 19


@pytest.mark.parametrize("state", State)
async def test_another_attempt_is_begun_when_those_before_are_over(
    store: PayoutStore, state: State
) -> None:
    """FAILED or RETURNED; never while money may be on its way."""
    await stored(store, "att_1", "pout_1", state)

    answer = await store.take_up(new("att_2"))

    assert isinstance(answer, PayoutTaken) is state.is_over


async def test_only_what_may_follow_is_stored(store: PayoutStore) -> None:
    """The statement and the domain's table say the same of every pair of states."""
    for number, (before, after) in enumerate(product(State, State)):
        found = await stored(store, f"att_{number}", f"pout_{number}", before)
        saved = await store.save(in_state(found, after), EXCHANGE)

        assert saved.is_held is (after in MOVES[before]), (before, after)
        assert saved.payout.state is (after if saved.is_held else before)


async def test_who_comes_late_may_only_say_that_it_is_paid(store: PayoutStore) -> None:
    """Anything else is left to who holds the newest version."""
    before = await stored(store, "att_1", "pout_1", State.UNKNOWN)
    newer = (await store.save(in_state(before, State.UNKNOWN), EXCHANGE)).payout

    lost = await store.save(in_state(before, State.FAILED), EXCHANGE)
    other = await store.save(in_state(before, State.PAID, "tr_other"), EXCHANGE)
    paid = await store.save(in_state(before, State.PAID), EXCHANGE)
    stale = await store.save(in_state(before, State.RETURNED), EXCHANGE)

    assert (lost.is_held, lost.payout) == (False, newer)
    assert not other.is_held  # of another transfer than the one that is known
    assert (paid.is_held, paid.payout.state) == (True, State.PAID)
    assert (stale.is_held, stale.payout.state) == (False, State.PAID)


async def test_every_exchange_is_in_the_trail(
    store: PayoutStore, psp_database: ServiceDatabase
) -> None:
    """Those of who came late too; and no row has anything of a destination."""
    found = await stored(store, "att_1", "pout_1", State.PAID)
    await store.save(in_state(replace(found, version=1), State.FAILED), EXCHANGE)

    async with await psycopg.AsyncConnection.connect(psp_database.owner_url) as connection:
        rows = await (
            await connection.execute("SELECT state FROM payout_events ORDER BY event_id")
        ).fetchall()

    assert [state for (state,) in rows] == ["PAID", "FAILED"]


async def test_the_app_role_cannot_take_a_payout_away(psp_database: ServiceDatabase) -> None:
    """It adds and changes payouts, and only adds to their trail."""
    async with await psycopg.AsyncConnection.connect(psp_database.app_url) as connection:
        for statement in (
            "DELETE FROM payouts",
            "UPDATE payout_events SET answer = ''",
            "DELETE FROM payout_events",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute(statement)
            await connection.rollback()


async def test_of_two_writes_of_one_payout_at_once_each_is_told_what_became_of_it(
    store: PayoutStore,
) -> None:
    """They share a batch: the poll's is stored, the statement's after it, and whoever is not the
    newest is told so.
    """
    busy = await stored(store, "att_busy", "pout_busy", State.SUBMITTED)
    found = await stored(store, "att_1", "pout_1", State.SUBMITTED)

    _, *answers = await asyncio.gather(
        store.save(in_state(busy, State.SUBMITTED), EXCHANGE),
        *(
            store.save(in_state(found, state), EXCHANGE)
            for state in (State.SUBMITTED, State.PAID, State.FAILED)
        ),
    )

    assert [answer.is_held for answer in answers] == [True, True, False]
    assert [answer.payout.version for answer in answers] == [3, 4, 4]
    assert await store.find(["att_1"]) == [answers[1].payout]
