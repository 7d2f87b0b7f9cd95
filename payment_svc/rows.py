"""Payments and sagas as rows: the one place that knows how a value is laid out in columns."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from chassis.money import Money
from payment_svc.domain.payment import Buyer, Failure, Order, Payment
from payment_svc.domain.statuses import OrderStatus, PaymentStatus
from payment_svc.sagas.engine import Progress, Queue

Row = Mapping[str, Any]

PAYMENT_COLUMNS = (
    "payment_id, client_id, checkout_id, status, version, buyer_id, buyer_email, buyer_ip,"
    " buyer_country, payment_token, failure_reason, failure_message, failure_psp_code,"
    " redirect_url, created_at, executed_at"
)
SAGA_COLUMNS = (
    "saga_id, kind, definition_version, payment_id, queue, step, turned_round, tries, reason,"
    " memory, journal_length, epoch, lease_owner, step_since, created_at"
)


def payment_row(payment: Payment) -> tuple[object, ...]:
    """Lay a payment out in PAYMENT_COLUMNS."""
    buyer = payment.buyer
    return (
        payment.payment_id,
        payment.client_id,
        payment.checkout_id,
        payment.status.value,
        payment.version,
        buyer.buyer_id,
        buyer.email,
        buyer.ip_address,
        buyer.country_code,
        payment.payment_token,
        *failure_columns(payment),
        payment.redirect_url,
        payment.created_at,
        payment.executed_at,
    )


def failure_columns(payment: Payment) -> tuple[str | None, str | None, str | None]:
    """Lay a payment's failure out: reason, message, the PSP's code."""
    failure = payment.failure
    return (failure.reason, failure.message, failure.psp_code) if failure else (None, None, None)


def order_row(payment: Payment, position: int, order: Order) -> tuple[object, ...]:
    """Lay an order out: id, payment, position, client, caller's id, seller, amount, currency,
    status.
    """
    return (
        order.order_id,
        payment.payment_id,
        position,
        payment.client_id,
        order.payment_order_id,
        order.seller_account,
        order.amount.amount,
        order.amount.currency,
        order.status.value,
    )


def saga_row(progress: Progress, lease_owner: str | None) -> tuple[object, ...]:
    """Lay a saga's progress out in SAGA_COLUMNS."""
    return (
        progress.saga_id,
        progress.kind,
        progress.definition_version,
        progress.payment_id,
        progress.queue.value,
        progress.step,
        progress.turned_round,
        progress.tries,
        progress.reason,
        json.dumps(progress.memory),
        progress.journal_length,
        progress.epoch,
        lease_owner,
        progress.step_since,
        progress.created_at,
    )


def to_payment(row: Row, orders: Sequence[Row]) -> Payment:
    """Read a payment with its orders, which come in their positions."""
    failure = None
    if row["failure_reason"] is not None:
        failure = Failure(row["failure_reason"], row["failure_message"], row["failure_psp_code"])
    return Payment(
        payment_id=row["payment_id"],
        client_id=row["client_id"],
        checkout_id=row["checkout_id"],
        buyer=Buyer(row["buyer_id"], row["buyer_email"], row["buyer_ip"], row["buyer_country"]),
        payment_token=row["payment_token"],
        orders=tuple(to_order(order) for order in orders),
        created_at=row["created_at"],
        status=PaymentStatus(row["status"]),
        version=row["version"],
        executed_at=row["executed_at"],
        failure=failure,
        redirect_url=row["redirect_url"],
    )


def to_order(row: Row) -> Order:
    """Read an order."""
    return Order(
        order_id=row["order_id"],
        payment_order_id=row["payment_order_id"],
        seller_account=row["seller_account"],
        amount=Money.of_stored(row["amount"], row["currency"]),
        status=OrderStatus(row["status"]),
    )


def to_progress(row: Row) -> Progress:
    """Read a saga's progress; `due_after` is not kept, `due_at` is."""
    return Progress(
        saga_id=row["saga_id"],
        kind=row["kind"],
        definition_version=row["definition_version"],
        payment_id=row["payment_id"],
        step=row["step"],
        step_since=row["step_since"],
        created_at=row["created_at"],
        queue=Queue(row["queue"]),
        turned_round=row["turned_round"],
        tries=row["tries"],
        due_after=timedelta(0),
        reason=row["reason"],
        epoch=row["epoch"],
        memory=row["memory"],
        journal_length=row["journal_length"],
    )
