"""CancelPayment: let go of a held amount."""

from collections.abc import Callable

from chassis.clock import Clock
from payment_svc.domain.errors import PaymentNotCancellable, PaymentOutcomeUnknown
from payment_svc.domain.payment import NewId, Payment
from payment_svc.domain.statuses import OrderStatus, PaymentStatus
from payment_svc.ports import Accepted, Asked, Decided, PaymentStore
from payment_svc.sagas import engine
from payment_svc.sagas.void import VOID
from payment_svc.use_cases.change_payment import change_payment

METHOD = "CancelPayment"


async def cancel_payment(
    asked: Asked,
    payment_id: str,
    *,
    store: PaymentStore,
    clock: Clock,
    new_id: NewId,
    render: Callable[[Payment], bytes],
) -> Accepted:
    """Begin to let go; a known key answers as the first time.

    Raises:
        PaymentNotFound: no such payment of this client.
        PaymentNotCancellable: nothing is held, or somebody was first.
        PaymentOutcomeUnknown: it has to be known first what became of the operation before.
        IdempotencyKeyReused: the key belongs to another request.
    """

    def decide(payment: Payment) -> Decided:
        if payment.is_unknown:
            raise PaymentOutcomeUnknown(payment_id)
        if payment.status is not PaymentStatus.REQUIRES_CAPTURE:
            raise PaymentNotCancellable(payment_id, payment.status)
        moved = [order.move(OrderStatus.EXECUTING) for order in payment.orders]
        released = payment.with_orders(moved)
        saga = engine.begin(VOID, new_id("sga"), released, clock())
        return Decided(released, saga, render(released))

    return await change_payment(asked, payment_id, decide, store=store)
