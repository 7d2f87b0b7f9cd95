"""GetPayment: read a payment of the calling client."""

from payment_svc.domain.errors import PaymentNotFound
from payment_svc.domain.payment import Payment
from payment_svc.ports import PaymentStore


async def get_payment(client_id: str, payment_id: str, *, store: PaymentStore) -> Payment:
    """Read a payment; another client's is not there.

    Raises:
        PaymentNotFound: no such payment of this client.
    """
    payment = await store.find_own(client_id, payment_id)
    if payment is None:
        raise PaymentNotFound(payment_id)
    return payment
