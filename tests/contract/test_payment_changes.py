"""A client's word and a saga's move meet at one payment, on real PostgreSQL: one is first."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from chassis.clock import utc_now
from chassis.database import Database, Transaction
from chassis.errors import InvalidRequest
from chassis.faults import FaultPoints
from payment_svc.coordinator import Coordinator
from payment_svc.domain.errors import (
    IdempotencyKeyReused,
    PaymentNotCancellable,
    PaymentNotCapturable,
    PaymentNotFound,
)
from payment_svc.domain.payment import CaptureMethod, PartialFailurePolicy, Payment
from payment_svc.domain.statuses import OrderStatus, PaymentStatus
from payment_svc.operations.store import PostgresOperatorStore
from payment_svc.ports import Accepted, Asked, NewPayment, StalePayment
from payment_svc.saga_store import PostgresSagaStore
from payment_svc.sagas import engine
from payment_svc.sagas.authorize import AUTHORIZE
from payment_svc.sagas.catalogue import SAGAS
from payment_svc.sagas.journey import Journey, Queue
from payment_svc.sagas.outcomes import Done, Outcome
from payment_svc.sagas.pay_in import PAY_IN
from payment_svc.sagas.policy import RetryPolicy
from payment_svc.store import PostgresPaymentStore
from payment_svc.use_cases.cancel_payment import cancel_payment
from payment_svc.use_cases.capture_payment import CapturePayment, capture_payment
from tests.builders import NOW, make_asked, make_id, make_order, make_payment

HELD = Done({"psp": "stripe", "expires_at": (NOW + timedelta(days=7)).isoformat()})


def sagas_of(database: Database, owner: str = "one") -> PostgresSagaStore:
    """Make a saga store."""
    return PostgresSagaStore(
        database, owner=owner, lease=timedelta(seconds=30), new_id=make_id, clock=utc_now
    )


async def move(store: PostgresSagaStore, journey: Journey, outcome: Outcome) -> Journey:
    """Record what an outcome changes."""
    return await store.record(
        engine.advance(
            SAGAS[journey.progress.kind], journey, outcome,
            started_at=NOW, now=NOW, chance=0.5, policy=RetryPolicy(),
        )
    )  # fmt: skip


async def held(database: Database) -> Payment:
    """Bring a payment of two orders of 99.99 to REQUIRES_CAPTURE."""
    payment = replace(make_payment(make_order(), make_order()), capture_method=CaptureMethod.MANUAL)
    asked = replace(make_asked("CreatePayment"), idempotency_key=payment.payment_id)
    saga = engine.begin(AUTHORIZE, make_id("sga"), payment, NOW)
    await PostgresPaymentStore(database, utc_now).accept(NewPayment(asked, payment, (saga,), b""))
    store = sagas_of(database)
    (journey,) = await store.claim(1)
    for outcome in (Done(), HELD):
        journey = await move(store, journey, outcome)
    assert journey.payment.status is PaymentStatus.REQUIRES_CAPTURE
    return journey.payment


def capturing(
    store: PostgresPaymentStore, payment_id: str, key: str = "k", amount: str = "", **by_order: str
) -> Awaitable[Accepted]:
    """Ask for a capture."""
    asked = make_asked("CapturePayment", key)
    asked = replace(asked, fingerprint={"amount": amount, **by_order})
    command = CapturePayment(asked, payment_id, amount, by_order)
    return capture_payment(command, store=store, clock=utc_now, new_id=make_id, render=rendered)


def cancelling(store: PostgresPaymentStore, asked: Asked, payment_id: str) -> Awaitable[Accepted]:
    """Ask for a cancellation."""
    return cancel_payment(
        asked, payment_id, store=store, clock=utc_now, new_id=make_id, render=rendered
    )


def rendered(payment: Payment) -> bytes:
    """Write a payment so that a replay can be told."""
    return f"{payment.payment_id} {payment.status} {payment.version}".encode()


async def test_another_client_waits_for_nobody(payment_db: Database) -> None:
    """While a payment is locked another client is told at once that there is none."""
    payment = await held(payment_db)
    store = PostgresPaymentStore(payment_db, utc_now)
    stranger = replace(make_asked("CancelPayment"), client_id="other")

    async def locked(tx: Transaction) -> None:
        lock = "SELECT 1 FROM payments WHERE payment_id = %s FOR UPDATE"
        assert await tx.all(lock, [payment.payment_id])
        with pytest.raises(PaymentNotFound):
            await cancelling(store, stranger, payment.payment_id)

    await payment_db.run(locked)


async def test_capture_begins_once_and_is_replayed(payment_db: Database) -> None:
    """The payment is PROCESSING, a saga begins, and the same key answers as the first time."""
    payment = await held(payment_db)
    store = PostgresPaymentStore(payment_db, utc_now)

    first = await capturing(store, payment.payment_id)
    again = await capturing(store, payment.payment_id)

    found = await store.find(payment.payment_id)
    assert found is not None
    assert found.status is PaymentStatus.PROCESSING
    assert [str(order.taken) for order in found.orders] == ["99.99", "99.99"]
    assert again == replace(first, replayed=True)
    views, changes = await sagas_of(payment_db).explain(payment.payment_id)
    assert [view.progress.kind for view in views] == ["authorize", "expire", "capture"]
    moves = [change.to_status for change in changes if change.subject_id.startswith("pay_")]
    assert moves == ["PENDING", "PROCESSING", "REQUIRES_CAPTURE", "PROCESSING"]


async def test_part_of_one_order_leaves_the_other(payment_db: Database) -> None:
    """Nothing is taken of an order that is not named."""
    payment = await held(payment_db)
    store = PostgresPaymentStore(payment_db, utc_now)
    first, second = (order.payment_order_id for order in payment.orders)

    await capturing(store, payment.payment_id, **{second: "40.00"})

    found = await store.find(payment.payment_id)
    assert found is not None
    assert [str(order.captured) for order in found.orders] == ["0.00", "40.00"]
    assert [o.status for o in found.orders] == [OrderStatus.AUTHORIZED, OrderStatus.EXECUTING]
    assert first != second


@pytest.mark.parametrize(
    ("amount", "by_order", "field"),
    [
        ("1.00", {}, "amount"),
        ("", {"nobody": "1.00"}, "payment_orders[0].payment_order_id"),
        ("", {"first": "100.00"}, "payment_orders[0].amount"),
        ("", {"first": "1.001"}, "payment_orders[0].amount"),
        ("", {"first": "0"}, "payment_orders[0].amount"),
    ],
)
async def test_wrong_amount_names_its_field_and_changes_nothing(
    payment_db: Database, amount: str, by_order: dict[str, str], field: str
) -> None:
    """What cannot be captured is refused by field, and the key is free again."""
    payment = await held(payment_db)
    store = PostgresPaymentStore(payment_db, utc_now)
    ids = {"first": payment.orders[0].payment_order_id}
    named = {ids.get(name, name): value for name, value in by_order.items()}

    with pytest.raises(InvalidRequest) as refused:
        await capturing(store, payment.payment_id, amount=amount, **named)

    assert refused.value.violations[0].field == field
    assert await store.find(payment.payment_id) == payment
    assert not (await capturing(store, payment.payment_id)).replayed


async def test_key_and_payment_belong_to_their_client_and_request(payment_db: Database) -> None:
    """Another client's payment is not there; another request under the key is named."""
    payment = await held(payment_db)
    store = PostgresPaymentStore(payment_db, utc_now)
    stranger = make_asked("CancelPayment", client_id="other")

    with pytest.raises(PaymentNotFound):
        await cancelling(store, stranger, payment.payment_id)
    with pytest.raises(PaymentNotFound):
        await cancelling(store, make_asked("CancelPayment"), "pay_0")
    await capturing(store, payment.payment_id)
    with pytest.raises(IdempotencyKeyReused):
        await capturing(store, payment.payment_id, amount="1.00")


async def test_only_one_of_many_words_is_heard(payment_db: Database) -> None:
    """Captures and cancellations at once, each under its own key: the first one counts."""
    payment = await held(payment_db)
    store = PostgresPaymentStore(payment_db, utc_now)
    words = [capturing(store, payment.payment_id, f"k{n}") for n in range(8)]
    words += [
        cancelling(store, make_asked("CancelPayment", f"k{n}"), payment.payment_id)
        for n in range(8)
    ]

    answers = await asyncio.gather(*words, return_exceptions=True)

    assert sum(isinstance(answer, Accepted) for answer in answers) == 1
    refused = (PaymentNotCapturable, PaymentNotCancellable)
    assert sum(isinstance(answer, refused) for answer in answers) == 15


async def test_same_key_at_once_is_answered_alike(payment_db: Database) -> None:
    """A double click on capture: both are answered with the one that happened."""
    payment = await held(payment_db)
    store = PostgresPaymentStore(payment_db, utc_now)

    answers = await asyncio.gather(*(capturing(store, payment.payment_id) for _ in range(8)))

    assert {answer.answer for answer in answers} == {answers[0].answer}
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 7


async def test_saga_that_decided_by_an_older_payment_decides_again(payment_db: Database) -> None:
    """The client captures while the expiry is under way: the expiry finds nothing to let go."""
    payment = await held(payment_db)
    store, sagas = PostgresPaymentStore(payment_db, utc_now), sagas_of(payment_db)
    await payment_db.run(
        lambda tx: tx.execute("UPDATE sagas SET due_at = now() WHERE kind = 'expire'")
    )
    (expiry,) = await sagas.claim(1)
    await capturing(store, payment.payment_id)

    with pytest.raises(StalePayment):
        await move(sagas, expiry, Done())
    fresh = expiry.with_payment(await sagas.reload(expiry.payment))
    ended = await move(sagas, fresh, Done())

    assert ended.progress.queue is Queue.DONE
    assert ended.payment.status is PaymentStatus.PROCESSING
    assert ended.progress.journal_length == 2  # taken nothing, let go of nothing


class Obliging:
    """Services that answer everything with yes, at their own pace."""

    def __init__(self, pause: Callable[[], Awaitable[None]]) -> None:
        self._pause = pause

    async def perform(self, _: object) -> Outcome:
        """Answer."""
        await self._pause()
        return Done({"psp": "stripe", "psp_reference": "pi_1", "transaction_id": "txn_1"})


async def test_sagas_of_many_orders_move_one_payment(payment_db: Database) -> None:
    """Twenty orders with a saga each, walked at once by two coordinators: all arrive, none lost."""
    payment = replace(
        make_payment(*(make_order("1.00") for _ in range(20))),
        partial_failure_policy=PartialFailurePolicy.KEEP_SUCCESSFUL,
    )
    begun = tuple(
        engine.begin(PAY_IN, make_id("sga"), payment, NOW, order_id=order.order_id)
        for order in payment.orders
    )
    store = PostgresPaymentStore(payment_db, utc_now)
    await store.accept(NewPayment(make_asked("CreatePayment"), payment, begun, b""))
    faults = FaultPoints.parse("", "development")
    coordinators = [
        Coordinator(
            sagas_of(payment_db, owner), Obliging(lambda: asyncio.sleep(0)), clock=utc_now,
            in_flight_max=4, policy=RetryPolicy(), faults=faults, moved=lambda _: None,
        )
        for owner in ("one", "two")
    ]  # fmt: skip

    queues = PostgresOperatorStore(payment_db)
    async with asyncio.timeout(60):
        while any(depth.queue is Queue.PAYMENT for depth in await queues.depths()):
            await asyncio.gather(*(c.claim_and_walk() for c in coordinators))
            await asyncio.gather(*(c.finish() for c in coordinators))

    found = await store.find(payment.payment_id)
    assert found is not None
    assert found.status is PaymentStatus.COMPLETED
    assert {order.status for order in found.orders} == {OrderStatus.SUCCESS}
    events = await payment_db.read("SELECT sequence FROM outbox ORDER BY event_id")
    assert [row["sequence"] for row in events] == [1, 2, 3]
