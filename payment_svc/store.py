"""Payments in PostgreSQL: accepted in batches, one transaction for all that arrive together."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

import psycopg

from audit_log import writing as audit_log
from chassis.clock import Clock
from chassis.coalescer import Coalescer
from chassis.database import Database, Transaction, Write, columns
from chassis.encryption import Undecipherable
from chassis.errors import Aborted
from chassis.faults import FaultPoints
from payment_svc import audited, changes, listing, rows
from payment_svc.domain.payment import Payment
from payment_svc.events import creation_event
from payment_svc.idempotency import differing
from payment_svc.ports import (
    Acceptance,
    Accepted,
    Asked,
    Decide,
    Filters,
    KeyReused,
    NewPayment,
    OrderIdInUse,
    Page,
)
from payment_svc.sagas.journey import Progress
from payment_svc.tracing import traced
from payment_svc.webhooks import outbox as webhook_outbox

_Key = tuple[str, str, str]

_FIND_RECORDS = """
SELECT r.client_id, r.method, r.idempotency_key, r.fingerprint, r.payment_id, r.answer
FROM unnest(%b::text[], %b::text[], %b::text[]) AS k (client_id, method, idempotency_key)
JOIN idempotency_records AS r USING (client_id, method, idempotency_key)
"""
_FIND_IN_USE = """
SELECT o.client_id, o.payment_order_id
FROM unnest(%b::text[], %b::text[]) AS k (client_id, payment_order_id)
JOIN orders AS o USING (client_id, payment_order_id)
WHERE o.status NOT IN ('FAILED', 'CANCELLED')
"""
_ADD_RECORDS = """
INSERT INTO idempotency_records
    (client_id, method, idempotency_key, fingerprint, payment_id, answer, created_at)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::jsonb[], %b::text[], %b::bytea[],
    %b::timestamptz[])
"""
_ADD_PAYMENTS = f"""
INSERT INTO payments ({rows.PAYMENT_COLUMNS})
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::int[], %b::text[],
    %b::bytea[], %b::bytea[], %b::text[], %b::bytea[], %b::text[], %b::text[], %b::text[],
    %b::timestamptz[], %b::timestamptz[], %b::int[], %b::text[], %b::text[], %b::timestamptz[],
    %b::numeric[], %b::text[], %b::bytea[], %b::text[])
"""
_ADD_ORDERS = """
INSERT INTO orders (order_id, payment_id, position, client_id, payment_order_id, seller_account,
    amount, currency, status, created_at)
SELECT * FROM unnest(%b::text[], %b::text[], %b::int[], %b::text[], %b::text[], %b::text[],
    %b::numeric[], %b::text[], %b::text[], %b::timestamptz[])
"""
_ADD_SAGAS = f"""
INSERT INTO sagas ({rows.SAGA_COLUMNS}, due_at)
SELECT {rows.SAGA_COLUMNS}, now() + due_after
FROM unnest(%b::text[], %b::text[], %b::int[], %b::text[], %b::text[], %b::text[], %b::text[],
    %b::bool[], %b::int[], %b::text[], %b::jsonb[], %b::int[], %b::bigint[], %b::text[],
    %b::timestamptz[], %b::timestamptz[], %b::interval[]) AS u ({rows.SAGA_COLUMNS}, due_after)
"""
_COLUMNS = f"{rows.PAYMENT_COLUMNS}, {rows.PLAIN_COLUMNS}"
_FIND_PAYMENTS = f"SELECT {_COLUMNS} FROM payments WHERE payment_id = ANY(%s)"
# Another client's row is not read: it costs what one that is unknown does.
_FIND_OWN = f"""
SELECT {_COLUMNS} FROM unnest(%b::text[], %b::text[]) AS w (payment_id, client_id)
JOIN payments USING (payment_id, client_id)
"""
_LOCK_OWN = "SELECT payment_id FROM payments WHERE payment_id = %s AND client_id = %s FOR UPDATE"
_FIND_ORDERS = """
SELECT payment_id, order_id, payment_order_id, seller_account, amount, currency, status, captured,
    failure_reason, failure_message, failure_psp_code, redirect_url, redirect_url_encrypted
FROM orders WHERE payment_id = ANY(%s) ORDER BY payment_id, position
"""


class PostgresPaymentStore:
    """`ports.PaymentStore` on PostgreSQL; what is called at once shares a transaction."""

    def __init__(self, database: Database, clock: Clock, faults: FaultPoints | None = None) -> None:
        self._database = database
        self._faults = faults or FaultPoints()
        self._clock = clock
        self._accepting: Coalescer[NewPayment, Acceptance] = Coalescer(
            self._accept_all, bisect_on=(psycopg.Error, Aborted, ValueError)
        )
        self._recalling: Coalescer[Asked, Accepted | KeyReused | None] = Coalescer(
            self._recall, in_flight_max=2, patience_s=0.0
        )
        # One that cannot be read fails nobody but who asked for it.
        self._finding: Coalescer[tuple[str, str], Payment | None] = Coalescer(
            self._find_own, in_flight_max=2, bisect_on=(Undecipherable,)
        )

    async def accept(self, new: NewPayment) -> Acceptance:
        """See `ports.PaymentStore.accept`."""
        sagas = tuple(traced(saga) for saga in new.sagas)
        return await self._accepting.submit(replace(new, sagas=sagas))

    async def known(self, asked: Asked) -> Accepted | KeyReused | None:
        """See `ports.PaymentStore.known`."""
        return await self._recalling.submit(asked)

    async def _recall(self, asked: Sequence[Asked]) -> list[Accepted | KeyReused | None]:
        records = await self._database.run(lambda tx: _known(tx, asked), alone=True)
        return [_replay(one, records[_key(one)]) if _key(one) in records else None for one in asked]

    async def change(
        self, asked: Asked, payment_id: str, decide: Decide
    ) -> Accepted | KeyReused | None:
        """See `ports.PaymentStore.change`."""
        return await self._database.run(partial(self._change, asked, payment_id, decide))

    async def find(self, payment_id: str) -> Payment | None:
        """See `ports.PaymentStore.find`."""
        return (await self._database.run(lambda tx: load_payments(tx, [payment_id]))).get(
            payment_id
        )

    async def find_own(self, client_id: str, payment_id: str) -> Payment | None:
        """See `ports.PaymentStore.find_own`."""
        return await self._finding.submit((payment_id, client_id))

    async def list(
        self, filters: Filters, limit: int, after: Page | None
    ) -> tuple[Sequence[Payment], Page | None]:
        """See `ports.PaymentStore.list`."""
        query, parameters = listing.page(filters, after)
        seen = await self._database.read(query, parameters)
        # A payment stands there once per order of the seller that was asked for.
        fits = {row["payment_id"]: row for row in seen if row["fits"]}
        fitting = list(fits.values())[:limit]
        found = await self._database.run(
            lambda tx: load_payments(tx, [row["payment_id"] for row in fitting])
        )
        payments = [found[row["payment_id"]] for row in fitting]
        return payments, listing.next_page(seen, fitting, limit)

    async def _accept_all(self, batch: Sequence[NewPayment]) -> Sequence[Acceptance]:
        await self._faults.reach("payment.accept.before")
        accepted = await self._database.run(lambda tx: accept_all(tx, batch))
        await self._faults.reach("payment.accept.committed")
        return accepted

    async def _find_own(self, wanted: Sequence[tuple[str, str]]) -> Sequence[Payment | None]:
        payment_ids, clients = zip(*wanted, strict=True)
        found = await self._database.run(lambda tx: load_payments(tx, payment_ids, clients))
        return [
            found[payment_id]
            if payment_id in found and found[payment_id].client_id == client_id
            else None
            for payment_id, client_id in wanted
        ]

    async def _change(
        self, asked: Asked, payment_id: str, decide: Decide, tx: Transaction
    ) -> Accepted | KeyReused | None:
        # Lock, then read: the second of two calls under one key waits here, and sees the first.
        locked = await tx.all(_LOCK_OWN, [payment_id, asked.client_id])
        record = (await _known(tx, [asked])).get(_key(asked))
        if record is not None:
            return _replay(asked, record)
        if not locked:
            return None
        before = (await load_payments(tx, [payment_id]))[payment_id]
        decided, now = decide(before), self._clock()
        await tx.together(
            [
                *changes.writes([(before, decided.payment)], now, tx.keyring),
                _new_records([(asked, payment_id, decided.answer)], now),
                new_sagas([traced(decided.saga)]),
                audit_log.add([audited.changed(asked, before, decided.payment)]),
            ]
        )
        return Accepted(payment_id, decided.answer, replayed=False)


def new_sagas(sagas: Sequence[Progress]) -> Write:
    """Make the write of new sagas."""
    return Write(_ADD_SAGAS, [(*rows.saga_row(saga, None), saga.due_after) for saga in sagas], 17)


async def load_payments(
    tx: Transaction, payment_ids: Sequence[str], clients: Sequence[str] | None = None
) -> dict[str, Payment]:
    """Read payments with their orders; with `clients`, each only if it is that client's.

    Raises:
        Undecipherable: one of them cannot be read: it was tampered with.
    """
    readable, unreadable = await load_readable(tx, payment_ids, clients)
    for problem in unreadable.values():
        raise problem
    return readable


async def load_readable(
    tx: Transaction, payment_ids: Sequence[str], clients: Sequence[str] | None = None
) -> tuple[dict[str, Payment], dict[str, Exception]]:
    """Read payments as `load_payments`, and tell which cannot be read, and why; an error that is
    none of ours may tell what stands in the row, and is for nobody's eyes but its class.
    """
    if clients is None:
        payments = await tx.all(_FIND_PAYMENTS, [list(set(payment_ids))])
    else:
        payments = await tx.all(_FIND_OWN, [list(payment_ids), list(clients)])
    orders = defaultdict(list)
    for row in await tx.all(_FIND_ORDERS, [[row["payment_id"] for row in payments]]):
        orders[row["payment_id"]].append(row)
    readable: dict[str, Payment] = {}
    unreadable: dict[str, Exception] = {}
    for row in payments:
        payment_id = row["payment_id"]
        try:
            readable[payment_id] = rows.to_payment(row, orders[payment_id], tx.keyring)
        except (Undecipherable, ValueError, TypeError, KeyError) as problem:
            unreadable[payment_id] = problem
    return readable, unreadable


async def accept_all(tx: Transaction, batch: Sequence[NewPayment]) -> list[Acceptance]:
    """Accept what is new, replay what is known, refuse the rest; answer each in order.

    A race with another process for a key or an order id ends in a unique violation, upon which the
    whole is run again and sees the winner.
    """
    decided = await _known(tx, [new.asked for new in batch])
    taken = await _in_use(tx, [new for new in batch if _key(new.asked) not in decided])
    fresh: list[NewPayment] = []
    answers: list[Acceptance] = []
    for new in batch:
        key = _key(new.asked)
        answer = _replay(new.asked, decided[key]) if key in decided else _clash(new, taken)
        if answer is None:
            fresh.append(new)
            taken.update(_order_ids(new))
            decided[key] = (new.asked.fingerprint, new.payment.payment_id, new.answer)
            answer = Accepted(new.payment.payment_id, new.answer, replayed=False)
        answers.append(answer)
    if fresh:
        await _insert(tx, fresh)
    return answers


_Record = tuple[Mapping[str, str], str, bytes]


async def _known(tx: Transaction, asked: Sequence[Asked]) -> dict[_Key, _Record]:
    found = await tx.all(_FIND_RECORDS, columns([_key(one) for one in asked], 3))
    return {
        (row["client_id"], row["method"], row["idempotency_key"]): (
            row["fingerprint"],
            row["payment_id"],
            row["answer"],
        )
        for row in found
    }


async def _in_use(tx: Transaction, batch: Sequence[NewPayment]) -> set[tuple[str, str]]:
    wanted = [pair for new in batch for pair in _order_ids(new)]
    if not wanted:
        return set()
    found = await tx.all(_FIND_IN_USE, columns(wanted, 2))
    return {(row["client_id"], row["payment_order_id"]) for row in found}


def _replay(asked: Asked, record: _Record) -> Accepted | KeyReused:
    fingerprint, payment_id, answer = record
    fields = differing(fingerprint, asked.fingerprint)
    return KeyReused(tuple(fields)) if fields else Accepted(payment_id, answer, replayed=True)


def _clash(new: NewPayment, taken: set[tuple[str, str]]) -> OrderIdInUse | None:
    ids = tuple(order_id for client, order_id in _order_ids(new) if (client, order_id) in taken)
    return OrderIdInUse(ids) if ids else None


def _key(asked: Asked) -> _Key:
    return asked.client_id, asked.method, asked.idempotency_key


def _order_ids(new: NewPayment) -> list[tuple[str, str]]:
    return [(new.payment.client_id, order.payment_order_id) for order in new.payment.orders]


def _new_records(kept: Sequence[tuple[Asked, str, bytes]], now: datetime) -> Write:
    records = [
        (*_key(asked), json.dumps(asked.fingerprint), payment_id, answer, now)
        for asked, payment_id, answer in kept
    ]
    return Write(_ADD_RECORDS, records, 7)


async def _insert(tx: Transaction, fresh: Sequence[NewPayment]) -> None:
    payments = [new.payment for new in fresh]
    orders = [
        rows.order_row(payment, position, order)
        for payment in payments
        for position, order in enumerate(payment.orders)
    ]
    subjects = [(p, s) for p in payments for s in (p.payment_id, *(o.order_id for o in p.orders))]
    history = [(p.payment_id, s, "", "PENDING", "", p.created_at) for p, s in subjects]
    kept = [(new.asked, new.payment.payment_id, new.answer) for new in fresh]
    await tx.together(
        [
            _new_records(kept, payments[0].created_at),
            Write(
                _ADD_PAYMENTS, [rows.payment_row(payment, tx.keyring) for payment in payments], 23
            ),
            Write(_ADD_ORDERS, orders, 10),
            new_sagas([saga for new in fresh for saga in new.sagas]),
            Write(changes.ADD_HISTORY, history, changes.HISTORY_WIDTH),
            *webhook_outbox.record([creation_event(payment) for payment in payments]),
            audit_log.add([audited.accepted(new.asked, new.payment) for new in fresh]),
        ]
    )
