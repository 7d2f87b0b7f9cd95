"""What payment_svc tells others: an event for each status that a payment takes."""

from chassis.outbox import Event
from payment_svc.domain.payment import Payment


def status_event(payment: Payment) -> Event:
    """Tell a payment's present status; the payment's version numbers the event."""
    payload = {
        "payment_id": payment.payment_id,
        "client_id": payment.client_id,
        "status": payment.status.value,
        "amount": str(payment.amount),
        "currency": payment.currency,
    }
    if payment.failure is not None:
        payload["failure_reason"] = payment.failure.reason
    kind = f"payment.{payment.status.value.lower()}"
    return Event(payment.payment_id, payment.version, kind, payload)
