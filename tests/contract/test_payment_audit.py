"""The audit of payments over real PostgreSQL, and its RPC's input."""

import asyncio
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from paymesh.ledger.v1 import ledger_pb2
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.payment.v1 import audit_service_pb2 as service
from paymesh.psp.v1 import attempt_pb2
from paymesh.psp.v1 import psp_gateway_service_pb2 as psp

from chassis.database import Database
from chassis.errors import InvalidRequest
from payment_svc.audit_servicer import PaymentAuditService
from payment_svc.audit_store import PostgresAuditStore
from payment_svc.audit_witnesses import GrpcAuditWitnesses
from payment_svc.jobs import payment_audit
from payment_svc.metrics import AUDIT_VIOLATIONS
from payment_svc.store import PostgresPaymentStore
from tests.builders import NOW, make_new_payment

HOUR = timedelta(hours=1)


async def accepted(database: Database, count: int) -> list[str]:
    """Accept payments."""
    store = PostgresPaymentStore(database, lambda: NOW)
    return [(await store.accept(make_new_payment())).payment_id for _ in range(count)]


async def test_pages_of_a_stretch_of_time(payment_db: Database) -> None:
    """Each payment comes once, with its sagas; the ends of the stretch are in and out."""
    ids = await accepted(payment_db, 5)
    store = PostgresAuditStore(payment_db)

    first = await store.page(NOW, NOW + HOUR, "", 3)
    rest = await store.page(NOW, NOW + HOUR, first[-1].payment.payment_id, 3)
    before = await store.page(NOW - HOUR, NOW, "", 3)
    found = await store.find(ids[:2])

    assert [one.payment.payment_id for one in [*first, *rest]] == sorted(ids)
    assert before == []
    assert [one.payment.payment_id for one in found] == sorted(ids[:2])
    assert {(saga.kind, saga.queue) for one in found for saga in one.sagas} == {
        ("pay_in", "PAYMENT")
    }
    assert await store.find([]) == []


async def test_what_came_to_rest_is_found_by_when(payment_db: Database) -> None:
    """Sagas that go on are not; a page goes on where the one before ended."""
    ids = await accepted(payment_db, 4)
    done = "UPDATE sagas SET queue = 'DONE', due_at = NULL, moved_at = %s WHERE payment_id = %s"
    for minutes, payment_id in enumerate(ids[:3]):
        at = NOW + timedelta(minutes=minutes)
        await payment_db.run(lambda tx, a=at, p=payment_id: tx.execute(done, [a, p]))
    store = PostgresAuditStore(payment_db)

    first = await store.rested(NOW, None, 2)
    rest = await store.rested(NOW, first[-1][0], 2)
    young = await store.rested(NOW + timedelta(seconds=90), None, 2)

    assert [payment_id for _, payment_id in [*first, *rest]] == ids[:3]
    assert [payment_id for _, payment_id in young] == [ids[2]]


async def test_what_was_made_before_and_came_to_rest_now_is_judged(payment_db: Database) -> None:
    """By the RPC, when it is asked for; what is booked for it is asked of it alone."""
    late, other = await accepted(payment_db, 2)
    done = "UPDATE sagas SET queue = 'DONE', due_at = NULL, moved_at = %s WHERE true"
    moment = NOW + 5 * HOUR
    await payment_db.run(lambda tx: tx.execute(done, [moment]))
    for table, status in (("payments", "COMPLETED"), ("orders", "SUCCESS")):
        change = f"UPDATE {table} SET status = %s WHERE true"
        await payment_db.run(lambda tx, c=change, s=status: tx.execute(c, [s]))
    asked: list[str] = []

    async def entries(request: ledger.ListEntriesRequest, **_: Any) -> Any:
        asked.append(request.subject_id)
        amount = "99.99" if request.subject_id == other else "9.99"
        entry = ledger_pb2.Entry(
            account_id="psp:stripe:clearing:USD", amount=amount, side=ledger_pb2.SIDE_DEBIT
        )
        return ledger.ListEntriesResponse(entries=[entry])

    audited = servicer(payment_db, attempts_of(late, other), entries)
    request = service.AuditPaymentsRequest()
    request.created_from.FromDatetime(NOW + HOUR / 2)
    unasked = [one async for one in audited.AuditPayments(request, None)]
    request.rested_from.FromDatetime(moment + HOUR)
    none = [one async for one in audited.AuditPayments(request, None)]
    request.rested_from.FromDatetime(moment - HOUR)
    told = [one async for one in audited.AuditPayments(request, None)]

    wrong = [one.violation for one in told if one.WhichOneof("told") == "violation"]
    assert [(one.payment_id, one.invariant) for one in wrong] == [(late, service.AuditViolation.I4)]
    assert unasked[-1].progress.payment_count == 0
    assert none[-1].progress.payment_count == 0
    assert told[-1].progress.payment_count == 2
    assert set(asked) == {late, other}


async def test_who_offends_stays_in_the_gauge_until_it_is_mended(payment_db: Database) -> None:
    """Also when it was made, and came to rest, longer ago than is looked back."""
    await accepted(payment_db, 1)
    change = "UPDATE sagas SET queue = %s, due_at = %s WHERE true"
    await payment_db.run(lambda tx: tx.execute(change, ["DONE", None]))
    counts: list[float] = []
    stopping = asyncio.Event()
    gauge = AUDIT_VIOLATIONS.labels("I7")

    async def attempts(request: psp.ListAttemptsOfPaymentsRequest, **_: Any) -> Any:
        return psp.ListAttemptsOfPaymentsResponse()

    class Watched(PostgresAuditStore):
        """Notes what the gauge says before each round; mends what is wrong before the third."""

        async def page(self, *args: Any) -> Any:
            """See `audit_ports.AuditStore.page`."""
            counts.append(gauge._value.get())
            if len(counts) == 3:
                await payment_db.run(lambda tx: tx.execute(change, ["WAITING", NOW + 99 * HOUR]))
            if len(counts) == 4:
                stopping.set()
            return await super().page(*args)

    def clock() -> datetime:
        return NOW + HOUR / 2 + len(counts) * 24 * HOUR

    gateway: Any = SimpleNamespace(ListAttemptsOfPayments=attempts)
    witnesses = GrpcAuditWitnesses(gateway, SimpleNamespace(ListEntries=entries_of()))
    job = payment_audit(Watched(payment_db), witnesses, clock, 0.001, HOUR)
    await asyncio.wait_for(job(stopping), 60)

    assert counts[1:] == [1, 1, 0]


def attempts_of(*ids: str) -> Any:
    """Make a gateway that knows a charge of each."""

    async def method(request: psp.ListAttemptsOfPaymentsRequest, **_: Any) -> Any:
        known = [
            attempt_pb2.Attempt(
                attempt_id="att_1",
                payment_id=payment_id,
                kind=attempt_pb2.Attempt.CHARGE,
                outcome=attempt_pb2.Attempt.SUCCEEDED,
                psp="stripe",
                amount="99.99",
                currency="USD",
            )
            for payment_id in request.payment_ids
            if payment_id in ids
        ]
        return psp.ListAttemptsOfPaymentsResponse(attempts=known)

    return method


def entries_of(*subjects: str) -> Any:
    """Make a ledger that booked 99.99 for each, an entry a page."""

    async def method(request: ledger.ListEntriesRequest, **_: Any) -> Any:
        assert request.account_id == "psp:stripe:clearing:USD"
        place = int(request.page_token or 0)
        entries = [
            ledger_pb2.Entry(subject_id=subject, amount="99.99", side=ledger_pb2.SIDE_DEBIT)
            for subject in subjects[place : place + 1]
        ]
        token = str(place + 1) if place + 1 < len(subjects) else ""
        return ledger.ListEntriesResponse(entries=entries, next_page_token=token)

    return method


def servicer(database: Database, attempts: Any, entries: Any) -> PaymentAuditService:
    """Wire the RPC with stubs of the others."""
    gateway: Any = SimpleNamespace(ListAttemptsOfPayments=attempts)
    books: Any = SimpleNamespace(ListEntries=entries)
    witnesses = GrpcAuditWitnesses(gateway, books)
    return PaymentAuditService(PostgresAuditStore(database), witnesses, lambda: NOW + HOUR)


async def test_what_is_wrong_is_told_with_how_far_it_is(payment_db: Database) -> None:
    """A payment that nothing moves although it is not final, by the RPC."""
    ids = await accepted(payment_db, 2)
    await payment_db.run(
        lambda tx: tx.execute("UPDATE sagas SET queue = 'DONE', due_at = NULL WHERE true")
    )
    audited = servicer(payment_db, attempts_of(), entries_of())

    told = [one async for one in audited.AuditPayments(service.AuditPaymentsRequest(), None)]

    wrong = [one.violation for one in told if one.WhichOneof("told") == "violation"]
    assert [(one.payment_id, one.invariant) for one in wrong] == [
        (payment_id, service.AuditViolation.I7) for payment_id in sorted(ids)
    ]
    assert told[-1].progress.is_done
    assert told[-1].progress.violation_count == 2


async def test_a_payment_that_cannot_be_read_is_named(payment_db: Database) -> None:
    """The others are judged all the same, on its page and after it."""
    ids = sorted(await accepted(payment_db, 3))
    await payment_db.read(
        "UPDATE payments SET buyer_email_encrypted = '\\x01' WHERE payment_id = %s RETURNING 1",
        [ids[1]],
    )
    audited = servicer(payment_db, attempts_of(), entries_of())

    told = [one async for one in audited.AuditPayments(service.AuditPaymentsRequest(), None)]
    page = await PostgresAuditStore(payment_db).page(NOW, NOW + HOUR, "", 2)

    wrong = [one.violation for one in told if one.WhichOneof("told") == "violation"]
    (unreadable,) = [one for one in wrong if one.invariant == service.AuditViolation.I8]
    assert unreadable.payment_id == ids[1]
    assert f"payments.buyer_email_encrypted of {ids[1]} is malformed" in unreadable.how
    assert told[-1].progress.payment_count == 3
    assert [one.payment_id for one in page] == ids[:2]


async def test_all_pages_of_the_books_are_read(payment_db: Database) -> None:
    """What is booked on the last page is booked; what is on none is told."""
    ids = await accepted(payment_db, 3)
    done = "UPDATE sagas SET queue = 'DONE', due_at = NULL WHERE true"
    await payment_db.run(lambda tx: tx.execute(done))
    for table, status in (("payments", "COMPLETED"), ("orders", "SUCCESS")):
        change = f"UPDATE {table} SET status = %s WHERE true"
        await payment_db.run(lambda tx, c=change, s=status: tx.execute(c, [s]))
    audited = servicer(payment_db, attempts_of(*ids), entries_of(ids[0], ids[1]))

    told = [one async for one in audited.AuditPayments(service.AuditPaymentsRequest(), None)]

    wrong = [one.violation for one in told if one.WhichOneof("told") == "violation"]
    assert [(one.payment_id, one.invariant) for one in wrong] == [
        (ids[2], service.AuditViolation.I4)
    ]


async def test_a_stretch_that_is_none_is_refused(payment_db: Database) -> None:
    """It names the field."""
    request = service.AuditPaymentsRequest()
    request.created_from.FromDatetime(NOW + HOUR)
    ancient = service.AuditPaymentsRequest()
    ancient.created_from.FromSeconds(-1)
    audited = servicer(payment_db, attempts_of(), entries_of())

    for wrong, why in ((request, "before created_to"), (ancient, "before 1970")):
        with pytest.raises(InvalidRequest, match=why):
            _ = [one async for one in audited.AuditPayments(wrong, None)]
