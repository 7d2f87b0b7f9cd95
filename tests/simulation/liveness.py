"""Who is still silently open a minute after all is well again.

That all is well after ten days proves that nothing is lost. It does not prove that anybody gets an
answer soon: a saga that looks again ever later comes to the same end.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from payment_svc.domain.payment import Payment
from payment_svc.domain.statuses import FINAL, OrderStatus, PaymentStatus
from payment_svc.sagas.journey import Progress, Queue
from payment_svc.sagas.void import EXPIRE, VOID
from tests.simulation.payments import Payments, Row

SOON_S = 60.0


def silently_open(payments: Payments) -> list[str]:
    """Name who is neither final, nor shown to a person, nor waits for a client or buyer."""
    since = payments.now() - timedelta(seconds=SOON_S)
    poisoned = payments.poison.ever
    waiting = (one for one in payments.rows.values() if not _is_at_rest(one))
    return [
        f"{one.payment_id} {one.status}: {', '.join(_told(rows))}"
        for one, rows in ((one, _open(payments, one)) for one in waiting)
        if one.payment_id not in poisoned and not _is_shown(one, rows) and not _is_new(rows, since)
    ]


def _is_at_rest(payment: Payment) -> bool:
    waits_for_client = payment.status is PaymentStatus.REQUIRES_CAPTURE
    return payment.status in FINAL or waits_for_client or payment.redirect_url is not None


def _is_new(rows: list[Row], since: datetime) -> bool:
    """Whether somebody has asked for something only now; what was planned long ago is no asking."""
    moving = [row.progress for row in rows if row.progress.reason != "NOT_DUE"]
    return bool(moving) and all(progress.created_at > since for progress in moving)


def _is_shown(payment: Payment, rows: list[Row]) -> bool:
    """Whether an order says that it is not known, a list of operators' does, or a dead letter."""
    is_unknown = any(order.status is OrderStatus.UNKNOWN for order in payment.orders)
    return is_unknown or any(_is_listed(row.progress) for row in rows)


def _is_listed(progress: Progress) -> bool:
    """Whether operators see it: a dead letter; or money that goes back, of which it is not known
    whether it has: orders have no word for that.
    """
    goes_back = progress.turned_round or progress.kind in (VOID.kind, EXPIRE.kind)
    return progress.queue is Queue.DEAD_LETTER or (goes_back and progress.is_unknown)


def _open(payments: Payments, payment: Payment) -> list[Row]:
    return [
        row
        for row in payments.sagas.values()
        if row.progress.payment_id == payment.payment_id and row.progress.queue is not Queue.DONE
    ]


def _told(rows: list[Row]) -> Iterator[str]:
    for row in rows:
        progress = row.progress
        yield f"{progress.kind} {progress.step} {progress.queue} {progress.reason}"
