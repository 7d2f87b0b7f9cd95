"""ResumePayment: the buyer has come back; the PSP is told what he brought, and the saga looks."""

from collections.abc import Mapping

from payment_svc.domain import books
from payment_svc.domain.payment import PartialFailurePolicy, Payment
from payment_svc.domain.statuses import PaymentStatus
from payment_svc.ports import PaymentStore, Returns, SagaStore
from payment_svc.use_cases.get_payment import get_payment


async def resume_payment(
    client_id: str,
    payment_id: str,
    return_query: Mapping[str, str],
    *,
    store: PaymentStore,
    returns: Returns,
    sagas: SagaStore,
) -> Payment:
    """Go on with a payment that waits for its buyer; answer it as it was before.

    Raises:
        PaymentNotFound: no such payment of this client.
        Unavailable: the PSP was not told; asking again is safe.
    """
    payment = await get_payment(client_id, payment_id, store=store)
    if payment.status is PaymentStatus.REQUIRES_ACTION:
        await returns.tell(books.charge_attempt(_scope(payment)), return_query)
        await sagas.wake([payment_id])
    return payment


def _scope(payment: Payment) -> str:
    """Name what the charge covers that the buyer was sent to: the first order's that waits."""
    if payment.partial_failure_policy is PartialFailurePolicy.ALL_OR_NOTHING:
        return payment.payment_id
    return next(o.order_id for o in payment.orders if o.redirect_url is not None)
