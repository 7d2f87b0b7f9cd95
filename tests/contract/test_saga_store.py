"""The saga store on real PostgreSQL: the queue, the lease, the fence."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from chassis.clock import utc_now
from chassis.database import Database
from payment_svc.domain.statuses import PaymentStatus
from payment_svc.operations.ports import SagaFilter
from payment_svc.operations.store import PostgresOperatorStore
from payment_svc.ports import LostLease
from payment_svc.saga_store import PostgresSagaStore
from payment_svc.sagas import engine
from payment_svc.sagas.journey import Journey, Move, Queue
from payment_svc.sagas.outcomes import Again, Done, Outcome, Refused
from payment_svc.sagas.pay_in import PAY_IN
from payment_svc.sagas.policy import RetryPolicy
from payment_svc.store import PostgresPaymentStore
from tests.builders import NOW, make_id, make_new_payment, make_payment
from tests.servers import ServiceDatabase

MINUTE = timedelta(minutes=1)


def saga_store(
    database: Database, owner: str = "one", lease: timedelta = MINUTE
) -> PostgresSagaStore:
    """Make a store for an instance."""
    return PostgresSagaStore(database, owner=owner, lease=lease, new_id=make_id, clock=lambda: NOW)


def advance(journey: Journey, outcome: Outcome) -> Move:
    """Decide what an outcome changes."""
    return engine.advance(
        PAY_IN, journey, outcome, started_at=NOW, now=NOW, chance=0.5, policy=RetryPolicy()
    )


async def accept(database: Database, count: int = 1) -> None:
    """Accept payments."""
    payments = PostgresPaymentStore(database, utc_now)
    await asyncio.gather(*(payments.accept(make_new_payment()) for _ in range(count)))


async def test_claimed_saga_is_nobody_elses(payment_db: Database) -> None:
    """A claim takes what is due, moves the payment to PROCESSING, and hides it from others."""
    await accept(payment_db, 3)
    one, two = saga_store(payment_db), saga_store(payment_db, "two")

    claimed = await one.claim(10)
    others = await two.claim(10)

    assert len(claimed) == 3
    assert {j.payment.status for j in claimed} == {PaymentStatus.PROCESSING}
    assert {j.progress.epoch for j in claimed} == {1}
    assert not others


async def test_two_claim_at_once_without_sharing(payment_database: ServiceDatabase) -> None:
    """Two coordinators over one database divide the work."""
    databases = [
        Database(payment_database.app_url, keyring=payment_database.keyring()) for _ in range(2)
    ]
    for database in databases:
        await database.open()
    await accept(databases[0], 50)
    stores = [saga_store(databases[i], str(i)) for i in range(2)]

    batches = await asyncio.gather(*(stores[i % 2].claim(10) for i in range(12)))

    ids = [journey.progress.saga_id for batch in batches for journey in batch]
    assert len(ids) == len(set(ids)) == 50
    for database in databases:
        await database.close()


async def test_zombie_is_fenced(payment_db: Database) -> None:
    """After the lease has passed to another, the first holder can write nothing."""
    await accept(payment_db)
    zombie = saga_store(payment_db, "zombie", timedelta(0))
    heir = saga_store(payment_db, "heir")
    (old,) = await zombie.claim(1)
    (new,) = await heir.claim(1)

    with pytest.raises(LostLease):
        await zombie.record(advance(old, Refused("X", "x")))
    await heir.record(advance(new, Done()))

    views, _ = await heir.explain(new.payment.payment_id)
    assert [e.outcome for e in views[0].entries] == ["done"]
    payment = await PostgresPaymentStore(payment_db, utc_now).find(new.payment.payment_id)
    assert payment is not None
    assert payment.status is PaymentStatus.PROCESSING


async def test_a_zombie_does_not_spoil_the_batch(payment_db: Database) -> None:
    """What it writes late, of a step that its heir has written since, is refused; its other sagas
    in the same transaction go on.
    """
    await accept(payment_db, 2)
    zombie = saga_store(payment_db, "zombie", timedelta(0))
    heir = saga_store(payment_db, "heir")
    old, other = await zombie.claim(2)
    (new, _) = sorted(await heir.claim(2), key=lambda j: j.progress.saga_id != old.progress.saga_id)
    await heir.record(advance(new, Done()))
    await payment_db.run(
        lambda tx: tx.execute(
            "UPDATE sagas SET epoch = 1 WHERE saga_id = %s", [other.progress.saga_id]
        )
    )

    late, fine = await asyncio.gather(
        zombie.record(advance(old, Done())),
        zombie.record(advance(other, Done())),
        return_exceptions=True,
    )

    assert isinstance(late, LostLease)
    assert isinstance(fine, Journey)


async def test_restarted_instance_takes_up_its_own_at_once(payment_db: Database) -> None:
    """What a former run held is due again right after the restart, not after the lease."""
    await accept(payment_db, 2)
    first = saga_store(payment_db)
    (held, _) = await first.claim(2)

    released = await saga_store(payment_db).release_own()
    again = await saga_store(payment_db).claim(10)

    assert released == 2
    assert held.progress.saga_id in {j.progress.saga_id for j in again}
    with pytest.raises(LostLease):
        await first.record(advance(held, Done()))


async def test_parked_saga_is_due_later(payment_db: Database) -> None:
    """A saga to be tried again waits its turn, and keeps its tries."""
    await accept(payment_db)
    store = saga_store(payment_db)
    (journey,) = await store.claim(1)

    await store.record(advance(journey, Again("UNAVAILABLE", after=timedelta(hours=1))))

    assert not await store.claim(1)
    ((view, _),) = await PostgresOperatorStore(payment_db).list_queue(
        Queue.RETRY, SagaFilter(), 10, None
    )
    assert view.progress.tries == 1
    assert view.progress.reason == "UNAVAILABLE"


async def test_whole_journey_is_kept(payment_db: Database) -> None:
    """Journal, history, events and the follow-up saga stand in the database at the end."""
    await accept(payment_db)
    store = saga_store(payment_db)
    (journey,) = await store.claim(1)
    charged = Done({"psp": "stripe", "psp_reference": "pi_1"})

    for outcome in (Done(), charged, Done(), Done({"transaction_id": "txn_1"})):
        journey = await store.record(advance(journey, outcome))

    views, changes = await store.explain(journey.payment.payment_id)
    assert (
        await PostgresPaymentStore(payment_db, utc_now).find(journey.payment.payment_id)
        == journey.payment
    )
    assert [(v.progress.kind, v.progress.queue) for v in views] == [
        ("pay_in", Queue.DONE),
        ("settle", Queue.PAYMENT),
    ]
    assert [e.step for e in views[0].entries] == ["assess", "charge", "credit", "post", "confirm"]
    moves = [(c.from_status, c.to_status) for c in changes if c.subject_id.startswith("pay_")]
    assert moves == [("", "PENDING"), ("PENDING", "PROCESSING"), ("PROCESSING", "COMPLETED")]
    rows = await payment_db.run(
        lambda tx: tx.all("SELECT type, sequence FROM outbox ORDER BY event_id")
    )
    assert [(r["type"], r["sequence"]) for r in rows] == [
        ("payment.pending", 1),
        ("payment.processing", 2),
        ("payment.completed", 3),
    ]


async def test_failed_order_frees_its_id(payment_db: Database) -> None:
    """After a decline the same payment_order_id may be tried again."""
    payments, store = PostgresPaymentStore(payment_db, utc_now), saga_store(payment_db)
    new = make_new_payment()
    await payments.accept(new)
    (journey,) = await store.claim(1)
    await store.record(advance(journey, Refused("RISK_REFUSED", "No.")))
    again = make_payment(
        *(
            type(o)(make_id("ord"), o.payment_order_id, o.seller_account, o.amount)
            for o in new.payment.orders
        )
    )

    accepted = await payments.accept(make_new_payment(again))

    assert accepted.__class__.__name__ == "Accepted"


async def test_cancelled_order_frees_its_id(payment_db: Database) -> None:
    """What was let go of, or not captured, may be paid for under the same payment_order_id."""
    payments = PostgresPaymentStore(payment_db, utc_now)
    new = make_new_payment()
    await payments.accept(new)
    await payment_db.run(lambda tx: tx.execute("UPDATE orders SET status = 'CANCELLED' WHERE true"))
    again = [replace(order, order_id=make_id("ord")) for order in new.payment.orders]

    accepted = await payments.accept(make_new_payment(make_payment(*again)))

    assert accepted.__class__.__name__ == "Accepted"


async def test_queue_is_listed_in_pages(payment_db: Database) -> None:
    """Walking the pages shows each saga once."""
    await accept(payment_db, 7)
    store = PostgresOperatorStore(payment_db)
    seen: list[str] = []
    after = None

    while page := await store.list_queue(Queue.PAYMENT, SagaFilter(), 3, after):
        seen += [view.progress.saga_id for view, _ in page]
        after = page[-1][1]

    assert len(seen) == len(set(seen)) == 7
    (depth,) = await store.depths()
    assert (depth.queue, depth.kind, depth.count) == (Queue.PAYMENT, "pay_in", 7)
