"""Webhook deliveries on real PostgreSQL: born with their event, sent at least once, by one."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chassis.clock import utc_now
from chassis.database import Database
from chassis.faults import FaultPoints
from payment_svc import changes
from payment_svc.domain.statuses import PaymentStatus
from payment_svc.domain.webhook_delivery import (
    Attempt,
    AttemptFailure,
    Delivery,
    DeliveryStatus,
    RetrySchedule,
    Verdict,
)
from payment_svc.domain.webhook_url import TargetRules
from payment_svc.outbox import Event
from payment_svc.store import PostgresPaymentStore
from payment_svc.webhooks import outbox as webhook_outbox
from payment_svc.webhooks.courier import Courier
from payment_svc.webhooks.log import PostgresWebhookLog
from payment_svc.webhooks.ports import LostDelivery
from payment_svc.webhooks.postman import HttpPostman
from payment_svc.webhooks.queue import PostgresWebhookQueue
from payment_svc.webhooks.store import PostgresWebhookStore
from tests.builders import NOW, make_new_payment, make_payment
from tests.contract.test_webhook_store import create
from tests.unit.payment_svc.receiver import answering, ok, receiving
from tests.unit.payment_svc.webhook_builders import KEYS

LEASE = timedelta(seconds=30)
TAKEN = Attempt(NOW, timedelta(milliseconds=5), 200)
DELIVERED = Verdict(DeliveryStatus.DELIVERED)


def make_queue(
    database: Database, owner: str = "a", *, lease: timedelta = LEASE, per_endpoint: int = 2
) -> PostgresWebhookQueue:
    """Make the queue as an instance sees it."""
    return PostgresWebhookQueue(database, owner=owner, lease=lease, per_endpoint=per_endpoint)


async def tell(database: Database, *events: Event) -> None:
    """Write events as a change does."""
    await database.run(lambda tx: tx.together(webhook_outbox.record(events)))


def event(
    sequence: int = 1,
    object_id: str = "pay_1",
    kind: str = "payment.completed",
    client_id: str = "demo",
) -> Event:
    """Make an event of a client's."""
    return Event(object_id, sequence, kind, {"client_id": client_id, "payment_id": object_id})


async def waiting(database: Database) -> list[dict[str, Any]]:
    """Read all deliveries."""
    return await database.read("SELECT * FROM webhook_deliveries ORDER BY delivery_id")


def places(deliveries: Sequence[Delivery]) -> list[tuple[str, int]]:
    """Tell what is delivered where."""
    return sorted((d.endpoint_id, d.event.sequence) for d in deliveries)


async def test_nobody_registered_writes_nothing(payment_db: Database) -> None:
    """Events are kept for lists; there is nothing to deliver."""
    await tell(payment_db, event())

    assert await waiting(payment_db) == []
    assert list(await make_queue(payment_db).claim(10)) == []


async def test_a_delivery_is_born_for_each_who_wants_to_know(payment_db: Database) -> None:
    """By client and by type; neither strangers, nor the deleted, nor those of another taste."""
    store = PostgresWebhookStore(payment_db)
    everything = (await create(store)).endpoint.endpoint_id
    picky = (await create(store, event_types=("payment.failed",))).endpoint.endpoint_id
    await create(store, client_id="other")
    deleted = (await create(store)).endpoint.endpoint_id
    await store.delete("demo", deleted)

    await tell(payment_db, event(1), event(2, kind="payment.failed"))
    await tell(payment_db, event(2, kind="payment.failed"))  # told before: nothing happens

    claimed = await make_queue(payment_db).claim(10)
    assert places(claimed) == sorted([(everything, 1), (everything, 2), (picky, 2)])
    assert {delivery.event.event_id for delivery in claimed} == {"evt_pay_1s1", "evt_pay_1s2"}
    assert claimed[0].event.data == {"payment_id": "pay_1"}
    assert claimed[0].is_wanted


async def test_a_payment_tells_of_its_acceptance_and_its_changes(payment_db: Database) -> None:
    """Store and changes write deliveries with the payment itself: both are there, or none."""
    await create(PostgresWebhookStore(payment_db))
    payment = make_payment()
    await PostgresPaymentStore(payment_db, utc_now).accept(make_new_payment(payment))
    moved = replace(
        payment,
        status=PaymentStatus.PROCESSING,
        version=2,
        trail=(PaymentStatus.PROCESSING,),
    )
    written = changes.writes([(payment, moved)], NOW, payment_db.keyring)
    await payment_db.run(lambda tx: tx.together(written))

    claimed = await make_queue(payment_db).claim(10)

    told = sorted((d.event.sequence, d.event.type, d.event.data["status"]) for d in claimed)
    assert told == [
        (1, "payment.pending", "PENDING"),
        (2, "payment.processing", "PROCESSING"),
    ]
    assert claimed[0].event.data["amount"] == "99.99"
    assert "client_id" not in claimed[0].event.data


async def test_a_change_that_is_rolled_back_tells_nobody(payment_db: Database) -> None:
    """There is no word of what did not happen."""
    await create(PostgresWebhookStore(payment_db))

    async def fail(tx: Any) -> None:
        await tx.together(webhook_outbox.record([event()]))
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        await payment_db.run(fail)

    assert await waiting(payment_db) == []


async def test_a_delivery_is_claimed_by_one(payment_db: Database) -> None:
    """Ten that claim at once get each delivery once."""
    store = PostgresWebhookStore(payment_db)
    for _ in range(8):
        await create(store)
    await tell(payment_db, event(1), event(2))
    queues = [make_queue(payment_db, f"i{n}", per_endpoint=9) for n in range(10)]

    claims = await asyncio.gather(*(queue.claim(100) for queue in queues))

    claimed = [d.delivery_id for claim in claims for d in claim]
    assert len(claimed) == len(set(claimed)) == 16


async def test_an_endpoint_has_its_share_and_no_more(payment_db: Database) -> None:
    """A backlog of two hundred takes two places; others are served, and its own in their turn."""
    store = PostgresWebhookStore(payment_db)
    busy = (await create(store, event_types=("payment.failed",))).endpoint.endpoint_id
    quick = (await create(store, event_types=("payment.completed",))).endpoint.endpoint_id
    await tell(payment_db, *(event(n, kind="payment.failed") for n in range(1, 201)))
    await tell(payment_db, event(201))
    queue = make_queue(payment_db)

    first = await queue.claim(64)
    assert places(first) == sorted([(busy, 1), (busy, 2), (quick, 201)])
    assert list(await queue.claim(64)) == []

    ended = next(d for d in first if d.event.sequence == 1)
    await queue.record(ended, TAKEN, DELIVERED)
    assert places(await queue.claim(64)) == [(busy, 3)]


async def test_what_is_delivered_stays_so(payment_db: Database) -> None:
    """The attempt is kept: when, how long, what was answered."""
    endpoint_id = (await create(PostgresWebhookStore(payment_db))).endpoint.endpoint_id
    await tell(payment_db, event())
    queue = make_queue(payment_db)
    (claimed,) = await queue.claim(10)

    await queue.record(claimed, TAKEN, DELIVERED)

    assert list(await queue.claim(10)) == []
    (view,) = await PostgresWebhookLog(payment_db).deliveries(endpoint_id, 10, None)
    assert (view.status, view.attempt_count) == (DeliveryStatus.DELIVERED, 1)
    assert list(view.attempts) == [(1, TAKEN)]
    assert view.next_attempt_at is None
    assert view.delivered_at is not None


async def test_what_failed_comes_back_in_its_time(payment_db: Database) -> None:
    """Not before; then with its count of tries, under another epoch and the same id."""
    await create(PostgresWebhookStore(payment_db))
    await tell(payment_db, event())
    queue = make_queue(payment_db)
    (first,) = await queue.claim(10)
    failed = Attempt(NOW, timedelta(seconds=1), failure=AttemptFailure.TIMEOUT)

    await queue.record(first, failed, Verdict(DeliveryStatus.PENDING, timedelta(hours=1)))
    assert list(await queue.claim(10)) == []
    await payment_db.run(lambda tx: tx.execute("UPDATE webhook_deliveries SET due_at = now()"))
    (second,) = await queue.claim(10)

    assert (second.attempts, second.tries) == (1, 1)
    assert second.epoch > first.epoch
    assert second.event == first.event
    assert second.since == first.since


async def test_whoever_lost_the_lease_writes_nothing(payment_db: Database) -> None:
    """A sender that slept through its lease does not undo what the next one recorded."""
    await create(PostgresWebhookStore(payment_db))
    await tell(payment_db, event())
    slow, quick = make_queue(payment_db, "slow", lease=timedelta()), make_queue(payment_db, "quick")
    (stale,) = await slow.claim(10)
    (fresh,) = await quick.claim(10)

    await quick.record(fresh, TAKEN, DELIVERED)
    with pytest.raises(LostDelivery):
        await slow.record(stale, TAKEN, Verdict(DeliveryStatus.FAILED))

    (row,) = await waiting(payment_db)
    assert (row["status"], row["attempts"]) == ("DELIVERED", 1)


async def test_a_crash_between_sending_and_recording_sends_again(payment_db: Database) -> None:
    """The same id and the same bytes come twice: the receiver can tell."""
    async with receiving() as receiver:
        await create(PostgresWebhookStore(payment_db), url=receiver.url)
        await tell(payment_db, event())
        await deliver_all(payment_db, fault="webhooks.sent=fail")  # as if it had died here
        assert await make_queue(payment_db).release_own() == 1

        await deliver_all(payment_db)

    first, second = receiver.seen
    assert first[0]["webhook-id"] == second[0]["webhook-id"] == "evt_pay_1s1"
    assert first[1] == second[1]
    (row,) = await waiting(payment_db)
    assert (row["status"], row["attempts"]) == ("DELIVERED", 1)


async def test_gone_disables_the_endpoint_and_fails_what_waits(payment_db: Database) -> None:
    """After a 410 nothing is sent; what waited is failed, and nothing new is born."""
    async with receiving(answering(410), ok) as receiver:
        await create(PostgresWebhookStore(payment_db), url=receiver.url)
        await tell(payment_db, *(event(n) for n in range(1, 4)))
        await deliver_all(payment_db, per_endpoint=1)
        await tell(payment_db, event(4))

    rows = await waiting(payment_db)
    assert [row["status"] for row in rows] == ["FAILED"] * 3
    assert len(receiver.seen) == 1
    (endpoint,) = await payment_db.read("SELECT status FROM webhook_endpoints")
    assert endpoint["status"] == "DISABLED"


async def test_two_instances_deliver_each_event_once(payment_db: Database) -> None:
    """With no crash there is no second delivery, and nothing is left."""
    async with receiving() as receiver:
        await create(PostgresWebhookStore(payment_db), url=receiver.url)
        await tell(payment_db, *(event(n) for n in range(1, 41)))

        await asyncio.gather(*(deliver_all(payment_db, owner=owner) for owner in ("a", "b")))

    ids = sorted(headers["webhook-id"] for headers, _ in receiver.seen)
    assert ids == sorted(f"evt_pay_1s{n}" for n in range(1, 41))
    assert await make_queue(payment_db).count_due() == 0


async def deliver_all(
    database: Database, *, owner: str = "a", fault: str = "", per_endpoint: int = 2
) -> None:
    """Run a courier until nothing is due for it."""
    queue = make_queue(database, owner, per_endpoint=per_endpoint)
    rules = TargetRules.parse("127.0.0.0/8", is_production=False)
    async with (
        asyncio.timeout(60),
        HttpPostman(rules, KEYS, clock=utc_now, timeout_s=30, connections_max=4) as postman,
    ):
        courier = Courier(
            queue,
            postman,
            clock=utc_now,
            schedule=RetrySchedule(),
            in_flight_max=4,
            faults=FaultPoints.parse(fault, "development"),
            ended=lambda: None,
        )
        while True:
            claimed = await courier.claim_and_send()
            await courier.finish()
            if fault or (not claimed and not await queue.count_due()):
                return
