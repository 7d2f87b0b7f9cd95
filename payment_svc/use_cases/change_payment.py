"""What CapturePayment and CancelPayment share: a client's word changes a payment, once per key."""

from payment_svc.domain.errors import IdempotencyKeyReused, PaymentNotFound
from payment_svc.ports import Accepted, Asked, Decide, KeyReused, PaymentStore


async def change_payment(
    asked: Asked, payment_id: str, decide: Decide, *, store: PaymentStore
) -> Accepted:
    """Change a payment as `decide` says; a known key answers as the first time.

    Raises:
        PaymentNotFound: no such payment of this client.
        IdempotencyKeyReused: the key belongs to another request.
        PaymeshError: what `decide` raises; nothing is stored.
    """
    match await store.change(asked, payment_id, decide):
        case None:
            raise PaymentNotFound(payment_id)
        case KeyReused(fields):
            raise IdempotencyKeyReused(fields)
        case Accepted() as accepted:
            return accepted
