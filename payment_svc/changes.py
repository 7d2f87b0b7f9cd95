"""What a changed payment writes: its row, its orders, its history, its events with deliveries."""

from collections.abc import Sequence
from datetime import datetime

from chassis.changed import changed
from chassis.database import Write
from chassis.encryption import Keyring
from payment_svc import rows
from payment_svc.domain.payment import Order, Payment
from payment_svc.events import status_events
from payment_svc.webhooks import outbox as webhook_outbox

# Only over the revision that was read: whoever decided by an older one decides again.
_UPDATE_PAYMENTS = """
UPDATE payments AS p SET status = u.status, version = u.version,
    payment_token = CASE WHEN u.keeps_token THEN p.payment_token END,
    payment_token_encrypted = CASE WHEN u.keeps_token THEN p.payment_token_encrypted END,
    failure_reason = u.failure_reason, failure_message = u.failure_message,
    failure_psp_code = u.failure_psp_code, executed_at = u.executed_at,
    capture_before = u.capture_before, revision = u.revision + 1
FROM unnest(%b::text[], %b::int[], %b::text[], %b::int[], %b::bool[], %b::text[], %b::text[],
    %b::text[], %b::timestamptz[], %b::timestamptz[])
    AS u (payment_id, revision, status, version, keeps_token, failure_reason,
    failure_message, failure_psp_code, executed_at, capture_before)
WHERE p.payment_id = u.payment_id AND p.revision = u.revision
RETURNING p.payment_id
"""
_UPDATE_ORDERS = """
UPDATE orders AS o SET status = u.status, captured = u.captured,
    failure_reason = u.failure_reason, failure_message = u.failure_message,
    failure_psp_code = u.failure_psp_code, redirect_url = NULL,
    redirect_url_encrypted = u.redirect_url_encrypted
FROM unnest(%b::text[], %b::text[], %b::numeric[], %b::text[], %b::text[], %b::text[],
    %b::bytea[])
    AS u (order_id, status, captured, failure_reason, failure_message, failure_psp_code,
    redirect_url_encrypted)
WHERE o.order_id = u.order_id
"""
ADD_HISTORY = """
INSERT INTO status_history (payment_id, subject_id, from_status, to_status, reason, changed_at)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::timestamptz[])
"""
HISTORY_WIDTH = 6

Change = tuple[Payment, Payment]


def writes(changes: Sequence[Change], now: datetime, keyring: Keyring) -> list[Write]:
    """Make the writes of payments before and after; the first one's RETURNING tells which were
    still what they were before.
    """
    orders = [
        rows.order_change(after, keyring)
        for old, new in changes
        for before, after in zip(old.orders, new.orders, strict=True)
        if before != after
    ]
    history = [line for before, after in changes for line in _history(before, after, now)]
    events = [event for _, after in changes for event in status_events(after)]
    return [
        Write(_UPDATE_PAYMENTS, [_payment_change(old, new) for old, new in changes], 10),
        Write(_UPDATE_ORDERS, orders, 7),
        Write(ADD_HISTORY, history, HISTORY_WIDTH),
        *webhook_outbox.record(events),
    ]


def stored(before: Payment, after: Payment) -> Payment:
    """Tell how a changed payment is read from now on."""
    return after if before == after else changed(after, revision=before.revision + 1, trail=())


def _payment_change(before: Payment, after: Payment) -> tuple[object, ...]:
    return (
        after.payment_id, before.revision, after.status.value, after.version,
        after.payment_token is not None,  # it is dropped one day, and never another
        *rows.failure_columns(after.failure), after.executed_at, after.capture_before,
    )  # fmt: skip


def _history(before: Payment, after: Payment, now: datetime) -> list[tuple[object, ...]]:
    """Write a line per status taken: the payment's by its trail, an order's from first to last."""
    reason = after.failure.reason if after.failure else ""
    steps = zip((before.status, *after.trail), after.trail, strict=False)
    lines = [
        (after.payment_id, after.payment_id, old.value, new.value, reason, now)
        for old, new in steps
    ]
    pairs = zip(before.orders, after.orders, strict=True)
    return lines + [_line(after, a, b, now) for a, b in pairs if a.status is not b.status]


def _line(payment: Payment, before: Order, after: Order, now: datetime) -> tuple[object, ...]:
    reason = after.failure.reason if after.failure else ""
    old, new = before.status.value, after.status.value
    return payment.payment_id, after.order_id, old, new, reason, now
