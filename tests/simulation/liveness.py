"""Who is still silently open a minute after the faults have ended.

That all is well after ten days proves that nothing is lost. It does not prove that anybody gets an
answer soon: a saga that looks again ever later comes to the same end.
"""

from collections.abc import Iterable, Iterator

from payment_svc.domain.payment import Payment
from payment_svc.domain.statuses import FINAL, OrderStatus, PaymentStatus
from payment_svc.sagas.journey import Progress, Queue
from payment_svc.sagas.void import EXPIRE, VOID
from tests.simulation.payments import Payments, Row
from tests.simulation.psp import Psp

SOON_S = 60.0


def silently_open(payments: Payments, psps: Iterable[Psp]) -> list[str]:
    """Name who is neither final, nor shown to a person, nor waits for a client or buyer; nobody
    while a PSP is still away, which has not healed then.
    """
    if any(psp.is_dark for psp in psps):
        return []
    poisoned = payments.poison.ever
    waiting = (one for one in payments.rows.values() if not _is_at_rest(one))
    return [
        f"{one.payment_id} {one.status}: {', '.join(_told(rows))}"
        for one, rows in ((one, _open(payments, one)) for one in waiting)
        if one.payment_id not in poisoned and not _is_shown(one, rows)
    ]


def _is_at_rest(payment: Payment) -> bool:
    waits_for_client = payment.status is PaymentStatus.REQUIRES_CAPTURE
    return payment.status in FINAL or waits_for_client or payment.redirect_url is not None


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
