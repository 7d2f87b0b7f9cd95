"""Dead letters on real PostgreSQL: nothing goes in silently, and what comes out is let on once."""

import asyncio
from datetime import timedelta

import psycopg
import pytest

from chassis.clock import utc_now
from chassis.database import Database
from chassis.telemetry import REGISTRY
from payment_svc.domain.errors import IdempotencyKeyNotFound, SagaMoved, SagaNotRetryable
from payment_svc.operations.ports import Bulk, SagaFilter
from payment_svc.operations.store import PostgresOperatorStore
from payment_svc.ports import LostLease
from payment_svc.sagas import engine
from payment_svc.sagas.journey import Queue
from payment_svc.sagas.outcomes import Done, Refused, Stuck, Waiting
from payment_svc.sagas.pay_in import PAY_IN
from payment_svc.use_cases.describe_idempotency_key import describe_idempotency_key
from payment_svc.use_cases.describe_queues import describe_queues
from payment_svc.use_cases.list_sagas import list_sagas
from payment_svc.use_cases.retry_saga import plan_saga_retry, retry_saga
from payment_svc.use_cases.retry_sagas import retry_sagas
from tests.builders import NOW
from tests.dead_letters import (
    ANN,
    POLICY,
    accept,
    advance,
    events,
    saga_store,
    stuck,
    stuck_undo,
    unknown_charge,
    walked,
)
from tests.servers import ServiceDatabase


@pytest.fixture
def store(payment_db: Database) -> PostgresOperatorStore:
    """What operators look at."""
    return PostgresOperatorStore(payment_db)


async def let_go_on(store: PostgresOperatorStore, saga_id: str, epoch: int) -> str:
    """Let a saga go on; tell its queue by then."""
    view, _ = await retry_saga(
        saga_id, epoch, "The cause is gone", store=store, actor=ANN, policy=POLICY, now=NOW
    )
    return str(view.progress.queue)


async def test_a_dry_run_changes_nothing_and_tells_the_key(
    payment_db: Database, store: PostgresOperatorStore
) -> None:
    """What would be asked is what the engine asks, under the ids of the first time."""
    dead = await unknown_charge(payment_db)
    before = await payment_db.read("SELECT * FROM sagas")

    view, plan = await plan_saga_retry(
        dead.progress.saga_id, store=store, policy=POLICY, now=utc_now()
    )

    asked = engine.command(PAY_IN, dead)
    assert (plan.step, plan.action, plan.command) == ("charge", "do", "ExecuteCharge")
    assert plan.keys == (("attempt_id", asked.attempt_id),)  # type: ignore[union-attr]
    assert plan.amount == dead.amount
    assert view.progress.epoch == dead.progress.epoch
    assert await payment_db.read("SELECT * FROM sagas") == before
    assert await store.actions_of(dead.payment.payment_id) == []


async def test_a_dead_letter_goes_on_with_a_new_budget_and_the_same_key(
    payment_db: Database, store: PostgresOperatorStore
) -> None:
    """It is due at once, its tries begin anew, its command is the same, and who did it is kept."""
    dead = await unknown_charge(payment_db)
    saga_id = dead.progress.saga_id

    await let_go_on(store, saga_id, dead.progress.epoch)
    (journey,) = await saga_store(payment_db).claim(1)

    assert journey.progress.tries == 0
    assert engine.command(PAY_IN, journey) == engine.command(PAY_IN, dead)
    await saga_store(payment_db).record(advance(journey, Waiting("NO_USABLE_ANSWER", unknown=True)))
    (view,), _ = await saga_store(payment_db).explain(dead.payment.payment_id)
    assert [e.outcome for e in view.entries] == ["done", "wait", "let_on", "wait"]
    assert view.progress.queue is Queue.WAITING
    (action,) = await store.actions_of(dead.payment.payment_id)
    assert (action.actor, action.reason) == (ANN, "The cause is gone")
    assert (action.before["queue"], action.after["queue"]) == ("DEAD_LETTER", "RETRY")


async def test_what_has_moved_since_is_left_alone(
    payment_db: Database, store: PostgresOperatorStore
) -> None:
    """Of many who saw the same epoch, one lets the saga go on; the others have to look again."""
    dead = await stuck(payment_db)
    saga_id, epoch = dead.progress.saga_id, dead.progress.epoch

    answers = await asyncio.gather(
        *(let_go_on(store, saga_id, epoch) for _ in range(8)), return_exceptions=True
    )

    assert [a for a in answers if not isinstance(a, Exception)] == ["RETRY"]
    assert sum(isinstance(a, SagaMoved) for a in answers) == 7
    assert len(await store.actions_of(dead.payment.payment_id)) == 1


async def test_a_saga_at_work_is_not_taken_from_its_worker(
    payment_db: Database, store: PostgresOperatorStore
) -> None:
    """Neither what a worker holds, nor what is done, nor what waits for its day is let go on."""
    await accept(payment_db)
    workers = saga_store(payment_db)
    (held,) = await workers.claim(1)

    with pytest.raises(SagaNotRetryable):
        await let_go_on(store, held.progress.saga_id, held.progress.epoch)
    moved = await workers.record(advance(held, Done()))

    assert moved.progress.step == "charge"


async def test_a_worker_and_an_operator_do_not_both_have_a_saga(
    payment_db: Database, store: PostgresOperatorStore
) -> None:
    """Whoever hurries a waiting saga while a worker claims it comes first or not at all."""
    for _ in range(10):
        waiting = await walked(payment_db, Done(), Waiting("PSP_PENDING"))
        saga_id, epoch = waiting.progress.saga_id, waiting.progress.epoch
        await payment_db.read(
            "UPDATE sagas SET due_at = now(), queue = 'WAITING' WHERE saga_id = %s RETURNING 1",
            [saga_id],
        )

        claimed, hurried = await asyncio.gather(
            saga_store(payment_db).claim(1),
            let_go_on(store, saga_id, epoch),
            return_exceptions=True,
        )
        assert not isinstance(claimed, BaseException)
        if not claimed:
            claimed = await saga_store(payment_db).claim(1)
        (journey,) = claimed
        try:
            await saga_store(payment_db).record(advance(journey, Refused("CARD_DECLINED", "No.")))
        except LostLease:
            # The operator came after the worker's claim, which is only possible from the queue.
            raise AssertionError("a worker's saga was taken from it") from None
        assert isinstance(hurried, SagaMoved | SagaNotRetryable) or hurried == "WAITING"


async def test_many_go_on_so_many_a_second(
    payment_db: Database, store: PostgresOperatorStore
) -> None:
    """Of those that fit, the longest dead first, each is due its share of a second later."""
    dead = [await stuck(payment_db) for _ in range(5)]
    other = await unknown_charge(payment_db)
    bulk = Bulk(SagaFilter(reason="INVALID_REQUEST"), 3)

    seen = await store.choose(bulk)
    bulk = Bulk(bulk.filter, 3, seen.as_of)
    gap, late = timedelta(seconds=0.5), timedelta(seconds=10)
    chosen = await retry_sagas(bulk, "Fixed", gap=gap, offset=late, store=store, actor=ANN, now=NOW)
    rest = await retry_sagas(bulk, "Fixed", gap=gap, offset=late, store=store, actor=ANN, now=NOW)

    assert (len(seen.reasons), seen.has_more, seen.total_count) == (3, True, 5)
    assert list(seen.saga_ids) == list(chosen.saga_ids) == [j.progress.saga_id for j in dead[:3]]
    assert (len(chosen.reasons), chosen.has_more) == (3, True)
    assert (len(rest.reasons), rest.has_more) == (2, False)
    due = await payment_db.read(
        "SELECT saga_id, extract(epoch FROM due_at - moved_at) AS wait FROM sagas"
        " WHERE queue = 'RETRY' ORDER BY moved_at, due_at"
    )
    assert [float(row["wait"]) for row in due] == [10.0, 10.5, 11.0, 10.0, 10.5]
    assert [row["saga_id"] for row in due] == [j.progress.saga_id for j in dead]
    found = await store.find(other.progress.saga_id)
    assert found is not None
    assert found[1].progress.queue is Queue.DEAD_LETTER


async def test_many_ask_for_the_same_dead_letters(
    payment_db: Database, store: PostgresOperatorStore
) -> None:
    """Two bulk retries at once let each dead letter go on once."""
    for _ in range(6):
        await stuck(payment_db)
    bulk = Bulk(SagaFilter(), 6, (await store.choose(Bulk(SagaFilter(), 6))).as_of)

    chosen = await asyncio.gather(
        *(
            retry_sagas(
                bulk, "Fixed", gap=timedelta(0), offset=timedelta(0),
                store=store, actor=ANN, now=NOW,
            )
            for _ in range(4)
        )
    )  # fmt: skip

    assert sum(len(one.reasons) for one in chosen) == 6
    (row,) = await payment_db.read("SELECT count(*) AS count FROM operator_actions")
    assert row["count"] == 6


async def test_every_way_in_is_told(payment_db: Database) -> None:
    """A refusal that cannot be undone, patience at its end, a thing that can never work: each
    writes one event with its reason, counts, and tells no client.
    """
    for make, reason in (
        (unknown_charge, "NO_USABLE_ANSWER"),
        (stuck_undo, "refused: CHARGE_TOO_OLD"),
        (stuck, "INVALID_REQUEST: x"),
    ):
        before = counted()
        dead = await make(payment_db)

        *_, (object_id, number, payload) = await events(payment_db)
        assert (object_id, number) == (dead.progress.saga_id, dead.progress.journal_length)
        assert payload["reason"] == reason
        assert counted() == before + 1


def counted() -> float:
    """Tell how many dead letters this process has counted."""
    samples = (sample for metric in REGISTRY.collect() for sample in metric.samples)
    return sum(one.value for one in samples if one.name == "paymesh_dead_letters_total")


async def test_queues_are_described_by_class(
    payment_db: Database, store: PostgresOperatorStore
) -> None:
    """However a reason goes on, few classes are told, with the age of the oldest."""
    await stuck(payment_db, "INVALID_REQUEST: amount")
    await stuck(payment_db, "INVALID_REQUEST: other")
    await unknown_charge(payment_db)
    await payment_db.read(
        "UPDATE sagas SET moved_at = now() - interval '1 hour'"
        " WHERE reason = 'INVALID_REQUEST: other' RETURNING 1"
    )

    found = await describe_queues(store)

    told = {(k.queue, k.kind, k.reason_class): s for k, s in found.items()}
    invalid = told[(Queue.DEAD_LETTER, "pay_in", "INVALID_REQUEST")]
    assert invalid.count == 2
    assert timedelta(hours=1) <= invalid.oldest_age < timedelta(hours=1, minutes=1)
    assert told[(Queue.DEAD_LETTER, "pay_in", "NO_USABLE_ANSWER")].count == 1


async def test_filters_choose_and_pages_go_on(
    payment_db: Database, store: PostgresOperatorStore
) -> None:
    """Each filter alone finds its own; a walk over pages shows each once."""
    dead = [await stuck(payment_db) for _ in range(3)]
    other = await unknown_charge(payment_db)
    payment_id = other.payment.payment_id

    async def found(chosen: SagaFilter) -> list[str]:
        seen: list[str] = []
        token = ""
        while True:
            views, token = await list_sagas(Queue.DEAD_LETTER, chosen, 2, token, store=store)
            seen += [view.progress.saga_id for view in views]
            if not token:
                return seen

    assert await found(SagaFilter(reason="NO_USABLE")) == [other.progress.saga_id]
    assert await found(SagaFilter(payment_id=payment_id)) == [other.progress.saga_id]
    assert sorted(await found(SagaFilter(reason="INVALID_REQUEST: x"))) == sorted(
        j.progress.saga_id for j in dead
    )
    assert await found(SagaFilter(kind="settle")) == []
    assert await found(SagaFilter(older_than=timedelta(hours=1))) == []
    assert len(await found(SagaFilter(kind="pay_in"))) == 4


async def test_a_key_is_described_without_its_body(
    payment_db: Database, store: PostgresOperatorStore
) -> None:
    """Which payment, and which fields were set, is told; a key that was not used is not found."""
    await accept(payment_db)
    (row,) = await payment_db.read("SELECT * FROM idempotency_records")

    kept = await describe_idempotency_key(
        "demo", "CreatePayment", row["idempotency_key"], store=store
    )

    assert kept.payment_id == row["payment_id"]
    assert (kept.payment_status, kept.fields) == ("PENDING", ("checkout_id",))
    with pytest.raises(IdempotencyKeyNotFound):
        await describe_idempotency_key("demo", "CapturePayment", "k", store=store)


@pytest.mark.parametrize("statement", ["UPDATE operator_actions SET actor = 'x'",
                                       "DELETE FROM operator_actions"])  # fmt: skip
async def test_the_trail_of_operators_is_only_added_to(
    payment_database: ServiceDatabase, statement: str
) -> None:
    """The service's own role can neither change nor remove what operators did."""
    async with await psycopg.AsyncConnection.connect(payment_database.app_url) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute(statement)  # type: ignore[call-overload]


async def test_stuck_is_stuck(payment_db: Database) -> None:
    """A dead letter is claimed by nobody."""
    dead = await walked(payment_db, Stuck("INVALID_REQUEST: y"))

    assert dead.progress.queue is Queue.DEAD_LETTER
    assert not await saga_store(payment_db).claim(10)
