"""What payment_svc tells others: an event for each status that a payment takes."""

from payment_svc.domain.payment import Payment
from payment_svc.domain.statuses import PaymentStatus
from payment_svc.outbox import Event


def status_events(payment: Payment) -> list[Event]:
    """Tell each status that a payment has taken since it was read; its version numbers them."""
    first = payment.version - len(payment.trail) + 1
    return [_event(payment, first + place, s) for place, s in enumerate(payment.trail)]


def creation_event(payment: Payment) -> Event:
    """Tell that a payment was accepted."""
    return _event(payment, payment.version, payment.status)


def _event(payment: Payment, sequence: int, status: PaymentStatus) -> Event:
    payload = {
        "payment_id": payment.payment_id,
        "client_id": payment.client_id,
        "checkout_id": payment.checkout_id,
        "status": status.value,
        "amount": str(payment.amount),
        "currency": payment.currency,
    }
    if payment.failure is not None and status is payment.status:
        payload["failure_reason"] = payment.failure.reason
    return Event(payment.payment_id, sequence, f"payment.{status.value.lower()}", payload)
