"""ExplainPayment: tell a payment's whole story to an operator."""

from collections.abc import Sequence
from dataclasses import dataclass

from payment_svc.domain.errors import PaymentNotFound
from payment_svc.domain.payment import Payment
from payment_svc.ports import PaymentStore, SagaStore, SagaView, StatusChange


@dataclass(frozen=True, slots=True)
class Explanation:
    """A payment, its sagas with their journals, its status changes; each the oldest first."""

    payment: Payment
    sagas: Sequence[SagaView]
    changes: Sequence[StatusChange]


async def explain_payment(
    payment_id: str, *, payments: PaymentStore, sagas: SagaStore
) -> Explanation:
    """Gather what is known of a payment of any client.

    Raises:
        PaymentNotFound: no such payment.
    """
    payment = await payments.find(payment_id)
    if payment is None:
        raise PaymentNotFound(payment_id)
    views, changes = await sagas.explain(payment_id)
    return Explanation(payment, views, changes)
