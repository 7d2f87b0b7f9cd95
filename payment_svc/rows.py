"""Payments and sagas as rows: the one place that knows how a value is laid out in columns."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from chassis.encryption import Keyring
from chassis.money import Money
from payment_svc.domain.checkout_page import CheckoutPage
from payment_svc.domain.payment import (
    Buyer,
    CaptureMethod,
    Failure,
    Order,
    PartialFailurePolicy,
    Payment,
    PaymentMethod,
)
from payment_svc.domain.statuses import OrderStatus, PaymentStatus
from payment_svc.private import BUYER_EMAIL, BUYER_IP, PAGE, PAYMENT_TOKEN, REDIRECT_URL
from payment_svc.sagas.journey import Progress, Queue
from privacy.masked import personal, revealed, secret

Row = Mapping[str, Any]

PAYMENT_COLUMNS = (
    "payment_id, client_id, checkout_id, status, version, buyer_id, buyer_email_encrypted,"
    " buyer_ip_encrypted, buyer_country, payment_token_encrypted, failure_reason, failure_message,"
    " failure_psp_code, created_at, executed_at, revision, capture_method, partial_failure_policy,"
    " capture_before, amount, currency, page_encrypted, payment_method"
)
# What was accepted before there was encryption, until `payment_svc.keys rewrap` has been there.
PLAIN_COLUMNS = "buyer_email, buyer_ip, payment_token, page"
SAGA_COLUMNS = (
    "saga_id, kind, definition_version, payment_id, order_id, queue, step, turned_round, tries,"
    " reason, memory, journal_length, epoch, lease_owner, step_since, created_at"
)


def payment_row(payment: Payment, keyring: Keyring) -> tuple[object, ...]:
    """Lay a payment out in PAYMENT_COLUMNS."""
    buyer, id_ = payment.buyer, payment.payment_id
    return (
        payment.payment_id,
        payment.client_id,
        payment.checkout_id,
        payment.status.value,
        payment.version,
        buyer.buyer_id,
        keyring.encrypt(BUYER_EMAIL, id_, revealed(buyer.email)),
        keyring.encrypt(BUYER_IP, id_, revealed(buyer.ip_address)),
        buyer.country_code,
        keyring.encrypt(PAYMENT_TOKEN, id_, revealed(payment.payment_token)),
        *failure_columns(payment.failure),
        payment.created_at,
        payment.executed_at,
        payment.revision,
        payment.capture_method.value,
        payment.partial_failure_policy.value,
        payment.capture_before,
        payment.amount.amount,
        payment.currency,
        keyring.encrypt(PAGE, id_, _page_text(payment.page)),
        payment.method.value,
    )


def _page_text(page: CheckoutPage | None) -> str | None:
    if page is None:
        return None
    return json.dumps(asdict(page) | {"expires_at": page.expires_at.isoformat()})


def _to_page(row: Row, keyring: Keyring) -> CheckoutPage | None:
    text = keyring.text(PAGE, row["payment_id"], row["page_encrypted"], None)
    kept = row["page"] if text is None else json.loads(text)
    if kept is None:
        return None
    return CheckoutPage(**{**kept, "expires_at": datetime.fromisoformat(kept["expires_at"])})


def failure_columns(failure: Failure | None) -> tuple[str | None, str | None, str | None]:
    """Lay a failure out: reason, message, the PSP's code."""
    return (failure.reason, failure.message, failure.psp_code) if failure else (None, None, None)


def order_row(payment: Payment, position: int, order: Order) -> tuple[object, ...]:
    """Lay a new order out: id, payment, position, client, caller's id, seller, amount, currency,
    status, creation.
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
        payment.created_at,
    )


def order_change(order: Order, keyring: Keyring) -> tuple[object, ...]:
    """Lay out what may change of an order: id, status, captured, failure, redirection."""
    captured = None if order.captured is None else order.captured.amount
    failure = failure_columns(order.failure)
    page = keyring.encrypt(REDIRECT_URL, order.order_id, order.redirect_url)
    return order.order_id, order.status.value, captured, *failure, page


def saga_row(progress: Progress, lease_owner: str | None) -> tuple[object, ...]:
    """Lay a saga's progress out in SAGA_COLUMNS."""
    return (
        progress.saga_id,
        progress.kind,
        progress.definition_version,
        progress.payment_id,
        progress.order_id,
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


def to_payment(row: Row, orders: Sequence[Row], keyring: Keyring) -> Payment:
    """Read a payment with its orders, which come in their positions.

    Raises:
        Undecipherable: a private column was tampered with.
    """
    id_ = row["payment_id"]
    email = keyring.text(BUYER_EMAIL, id_, row["buyer_email_encrypted"], row["buyer_email"])
    ip_address = keyring.text(BUYER_IP, id_, row["buyer_ip_encrypted"], row["buyer_ip"])
    token = keyring.text(PAYMENT_TOKEN, id_, row["payment_token_encrypted"], row["payment_token"])
    return Payment(
        payment_id=id_,
        client_id=row["client_id"],
        checkout_id=row["checkout_id"],
        buyer=Buyer(row["buyer_id"], personal(email), personal(ip_address), row["buyer_country"]),
        payment_token=secret(token),
        orders=tuple(to_order(order, keyring) for order in orders),
        created_at=row["created_at"],
        capture_method=CaptureMethod(row["capture_method"]),
        partial_failure_policy=PartialFailurePolicy(row["partial_failure_policy"]),
        status=PaymentStatus(row["status"]),
        version=row["version"],
        revision=row["revision"],
        executed_at=row["executed_at"],
        capture_before=row["capture_before"],
        failure=to_failure(row),
        page=_to_page(row, keyring),
        method=PaymentMethod(row["payment_method"]),
    )


def to_order(row: Row, keyring: Keyring) -> Order:
    """Read an order. Raises Undecipherable when its redirection was tampered with."""
    url, before = row["redirect_url_encrypted"], row["redirect_url"]
    captured, currency = row["captured"], row["currency"]
    return Order(
        order_id=row["order_id"],
        payment_order_id=row["payment_order_id"],
        seller_account=row["seller_account"],
        amount=Money.of_stored(row["amount"], currency),
        status=OrderStatus(row["status"]),
        captured=None if captured is None else Money.of_stored(captured, currency),
        failure=to_failure(row),
        redirect_url=keyring.text(REDIRECT_URL, row["order_id"], url, before),
    )


def to_failure(row: Row) -> Failure | None:
    """Read why a payment or an order failed; None: it has not."""
    if row["failure_reason"] is None:
        return None
    return Failure(row["failure_reason"], row["failure_message"], row["failure_psp_code"])


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
        order_id=row["order_id"],
        queue=Queue(row["queue"]),
        turned_round=row["turned_round"],
        tries=row["tries"],
        due_after=timedelta(0),
        reason=row["reason"],
        epoch=row["epoch"],
        memory=row["memory"],
        journal_length=row["journal_length"],
    )
