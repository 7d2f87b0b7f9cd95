"""Payments in PostgreSQL: accepted in batches, one transaction for all that arrive together."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence

import psycopg

from chassis import outbox
from chassis.coalescer import Coalescer
from chassis.database import Database, Transaction, Write, columns
from chassis.errors import Aborted
from chassis.idempotency import differing
from payment_svc import rows
from payment_svc.domain.payment import Payment
from payment_svc.events import status_event
from payment_svc.ports import Acceptance, Accepted, KeyReused, NewPayment, OrderIdInUse

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
    %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[],
    %b::timestamptz[], %b::timestamptz[])
"""
_ADD_ORDERS = """
INSERT INTO orders (order_id, payment_id, position, client_id, payment_order_id, seller_account,
    amount, currency, status)
SELECT * FROM unnest(%b::text[], %b::text[], %b::int[], %b::text[], %b::text[], %b::text[],
    %b::numeric[], %b::text[], %b::text[])
"""
ADD_SAGAS = f"""
INSERT INTO sagas ({rows.SAGA_COLUMNS}, due_at)
SELECT *, now() FROM unnest(%b::text[], %b::text[], %b::int[], %b::text[], %b::text[], %b::text[],
    %b::bool[], %b::int[], %b::text[], %b::jsonb[], %b::int[], %b::bigint[], %b::text[],
    %b::timestamptz[], %b::timestamptz[])
"""
ADD_HISTORY = """
INSERT INTO status_history (payment_id, subject_id, from_status, to_status, reason, changed_at)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::timestamptz[])
"""
_FIND_PAYMENTS = f"SELECT {rows.PAYMENT_COLUMNS} FROM payments WHERE payment_id = ANY(%s)"
_FIND_ORDERS = """
SELECT payment_id, order_id, payment_order_id, seller_account, amount, currency, status
FROM orders WHERE payment_id = ANY(%s) ORDER BY payment_id, position
"""


class PostgresPaymentStore:
    """`ports.PaymentStore` on PostgreSQL; what is called at once shares a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._accepting: Coalescer[NewPayment, Acceptance] = Coalescer(
            self._accept_all, bisect_on=(psycopg.Error, Aborted)
        )
        self._finding: Coalescer[str, Payment | None] = Coalescer(self._find_all, in_flight_max=2)

    async def accept(self, new: NewPayment) -> Acceptance:
        """See `ports.PaymentStore.accept`."""
        return await self._accepting.submit(new)

    async def find(self, payment_id: str) -> Payment | None:
        """See `ports.PaymentStore.find`."""
        return await self._finding.submit(payment_id)

    async def _accept_all(self, batch: Sequence[NewPayment]) -> Sequence[Acceptance]:
        return await self._database.run(lambda tx: accept_all(tx, batch))

    async def _find_all(self, payment_ids: Sequence[str]) -> Sequence[Payment | None]:
        found = await self._database.run(lambda tx: load_payments(tx, payment_ids))
        return [found.get(payment_id) for payment_id in payment_ids]


async def load_payments(tx: Transaction, payment_ids: Sequence[str]) -> dict[str, Payment]:
    """Read payments with their orders."""
    wanted = list(set(payment_ids))
    payments = await tx.all(_FIND_PAYMENTS, [wanted])
    orders = defaultdict(list)
    for row in await tx.all(_FIND_ORDERS, [wanted]):
        orders[row["payment_id"]].append(row)
    return {row["payment_id"]: rows.to_payment(row, orders[row["payment_id"]]) for row in payments}


async def accept_all(tx: Transaction, batch: Sequence[NewPayment]) -> list[Acceptance]:
    """Accept what is new, replay what is known, refuse the rest; answer each in order.

    A race with another process for a key or an order id ends in a unique violation, upon which the
    whole is run again and sees the winner.
    """
    decided = await _known(tx, batch)
    taken = await _in_use(tx, [new for new in batch if _key(new) not in decided])
    fresh: list[NewPayment] = []
    answers: list[Acceptance] = []
    for new in batch:
        answer = _replay(new, decided.get(_key(new))) or _clash(new, taken)
        if answer is None:
            fresh.append(new)
            taken.update(_order_ids(new))
            decided[_key(new)] = (new.fingerprint, new.payment.payment_id, new.answer)
            answer = Accepted(new.payment.payment_id, new.answer, replayed=False)
        answers.append(answer)
    if fresh:
        await _insert(tx, fresh)
    return answers


_Record = tuple[Mapping[str, str], str, bytes]


async def _known(tx: Transaction, batch: Sequence[NewPayment]) -> dict[_Key, _Record]:
    found = await tx.all(_FIND_RECORDS, columns([_key(new) for new in batch], 3))
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


def _replay(new: NewPayment, record: _Record | None) -> Acceptance | None:
    if record is None:
        return None
    fingerprint, payment_id, answer = record
    fields = differing(fingerprint, new.fingerprint)
    return KeyReused(tuple(fields)) if fields else Accepted(payment_id, answer, replayed=True)


def _clash(new: NewPayment, taken: set[tuple[str, str]]) -> OrderIdInUse | None:
    ids = tuple(order_id for client, order_id in _order_ids(new) if (client, order_id) in taken)
    return OrderIdInUse(ids) if ids else None


def _key(new: NewPayment) -> _Key:
    return new.payment.client_id, new.method, new.idempotency_key


def _order_ids(new: NewPayment) -> list[tuple[str, str]]:
    return [(new.payment.client_id, order.payment_order_id) for order in new.payment.orders]


async def _insert(tx: Transaction, fresh: Sequence[NewPayment]) -> None:
    payments = [new.payment for new in fresh]
    records = [
        (*_key(n), json.dumps(n.fingerprint), n.payment.payment_id, n.answer, n.payment.created_at)
        for n in fresh
    ]
    orders = [
        rows.order_row(payment, position, order)
        for payment in payments
        for position, order in enumerate(payment.orders)
    ]
    subjects = [(p, s) for p in payments for s in (p.payment_id, *(o.order_id for o in p.orders))]
    history = [(p.payment_id, s, "", "PENDING", "", p.created_at) for p, s in subjects]
    await tx.together(
        [
            Write(_ADD_RECORDS, records, 7),
            Write(_ADD_PAYMENTS, [rows.payment_row(payment) for payment in payments], 16),
            Write(_ADD_ORDERS, orders, 9),
            Write(ADD_SAGAS, [rows.saga_row(new.saga, None) for new in fresh], 15),
            Write(ADD_HISTORY, history, 6),
            outbox.record([status_event(payment) for payment in payments]),
        ]
    )
