"""ResumePayment: the buyer has come back; the PSP is told what he brought, and the saga looks."""

from collections.abc import Mapping

from payment_svc.domain import books
from payment_svc.domain.payment import PartialFailurePolicy, Payment
from payment_svc.domain.statuses import PaymentStatus
from payment_svc.ports import PaymentStore, Returns, SagaStore
from payment_svc.use_cases.get_payment import get_payment

# What psp_gateway adds to the address that a buyer comes back to, and how its value begins; a
# shop's own parameter may have the same name.
_NAMED, _OURS = "attempt_id", "att_"


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

    Told is the charge that the return names, if it waits still: another's return is nothing to it.
    One that names none is of the first that waits.

    Raises:
        PaymentNotFound: no such payment of this client.
        Unavailable: the PSP was not told; asking again is safe.
    """
    payment = await get_payment(client_id, payment_id, store=store)
    if payment.status is PaymentStatus.REQUIRES_ACTION:
        attempt_id = _attempt(payment, return_query.get(_NAMED, ""))
        if attempt_id is not None:
            await returns.tell(attempt_id, return_query)
        await sagas.wake([payment_id])
    return payment


def _attempt(payment: Payment, named: str) -> str | None:
    """Tell which charge the buyer comes back for; None: for none that waits."""
    scopes = [payment.payment_id]
    if payment.partial_failure_policy is PartialFailurePolicy.KEEP_SUCCESSFUL:
        scopes = [order.order_id for order in payment.orders if order.redirect_url is not None]
    waiting = [books.charge_attempt(scope) for scope in scopes]
    if named in waiting:
        return named
    return None if named.startswith(_OURS) else waiting[0]
