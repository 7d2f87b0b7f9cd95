"""GetCheckoutSession: read a checkout session of the calling client."""

from payment_svc.domain.checkout_page import payment_of
from payment_svc.domain.errors import CheckoutSessionNotFound
from payment_svc.domain.payment import Payment
from payment_svc.ports import PaymentStore


async def get_checkout_session(
    client_id: str, checkout_session_id: str, *, store: PaymentStore
) -> Payment:
    """Read the payment of a session; another client's is not there.

    Raises:
        CheckoutSessionNotFound: no such session of this client.
    """
    payment = await store.find_own(client_id, payment_of(checkout_session_id))
    if payment is None or payment.page is None:
        raise CheckoutSessionNotFound(checkout_session_id)
    return payment
