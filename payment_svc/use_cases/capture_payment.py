"""CapturePayment: take all or a part of a held amount, once per payment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from chassis.clock import Clock
from chassis.errors import InvalidRequest
from chassis.money import Money, parse_field
from payment_svc.domain.errors import PaymentNotCapturable, PaymentOutcomeUnknown
from payment_svc.domain.payment import NewId, Order, Payment
from payment_svc.domain.statuses import OrderStatus, PaymentStatus
from payment_svc.ports import Accepted, Asked, Decided, PaymentStore
from payment_svc.sagas import engine
from payment_svc.sagas.capture import CAPTURE
from payment_svc.use_cases.change_payment import change_payment

METHOD = "CapturePayment"


@dataclass(frozen=True, slots=True)
class CapturePayment:
    """A capture, as asked: `amount` of a payment of one order, or the amounts `by_order`, each a
    decimal string and empty for all of it; neither: everything.
    """

    asked: Asked
    payment_id: str
    amount: str = ""
    by_order: Mapping[str, str] = field(default_factory=dict)


async def capture_payment(
    command: CapturePayment,
    *,
    store: PaymentStore,
    clock: Clock,
    new_id: NewId,
    render: Callable[[Payment], bytes],
) -> Accepted:
    """Begin to capture; a known key answers as the first time.

    Raises:
        PaymentNotFound: no such payment of this client.
        PaymentNotCapturable: nothing is held, or somebody was first.
        PaymentOutcomeUnknown: it has to be known first what became of the operation before.
        InvalidRequest: an amount that is none, or more than is held; an order that is not there.
        IdempotencyKeyReused: the key belongs to another request.
    """

    def decide(payment: Payment) -> Decided:
        after = captured(command, payment)
        saga = engine.begin(CAPTURE, new_id("sga"), after, clock())
        return Decided(after, saga, render(after))

    return await change_payment(command.asked, command.payment_id, decide, store=store)


def captured(command: CapturePayment, payment: Payment) -> Payment:
    """Tell what a capture, as asked, makes of a payment.

    Raises:
        PaymentNotCapturable: nothing is held.
        PaymentOutcomeUnknown: it is not known what became of the operation before.
        InvalidRequest: an amount that is none, or more than is held; an order that is not there.
    """
    if payment.is_unknown:
        raise PaymentOutcomeUnknown(payment.payment_id)
    if payment.status is not PaymentStatus.REQUIRES_CAPTURE:
        raise PaymentNotCapturable(payment.payment_id, payment.status)
    amounts = _amounts(command, payment)
    return payment.with_orders([_with(order, amounts) for order in payment.orders])


def _with(order: Order, amounts: Mapping[str, Money]) -> Order:
    amount = amounts.get(order.payment_order_id)
    if amount is None:
        return replace(order, captured=Money.zero(order.amount.currency))
    return replace(order.move(OrderStatus.EXECUTING), captured=amount)


def _amounts(command: CapturePayment, payment: Payment) -> Mapping[str, Money]:
    """Tell how much is taken of which order, by the caller's ids."""
    orders = {order.payment_order_id: order for order in payment.orders}
    if command.by_order:
        return {
            payment_order_id: _amount(
                f"payment_orders[{place}]", text, payment_order_id, orders.get(payment_order_id)
            )
            for place, (payment_order_id, text) in enumerate(command.by_order.items())
        }
    if not command.amount:
        return {payment_order_id: order.amount for payment_order_id, order in orders.items()}
    if len(payment.orders) > 1:
        raise InvalidRequest.field(
            "amount", "name the amount of each order in payment_orders instead"
        )
    (order,) = payment.orders
    return {order.payment_order_id: _amount("", command.amount, order.payment_order_id, order)}


def _amount(path: str, text: str, payment_order_id: str, order: Order | None) -> Money:
    if order is None:
        raise InvalidRequest.field(
            f"{path}.payment_order_id", f"the payment has no order {payment_order_id}"
        )
    if not text:
        return order.amount
    amount = parse_field(path, text, order.amount.currency)
    if amount.amount > order.amount.amount:
        name = f"{path}.amount" if path else "amount"
        raise InvalidRequest.field(
            name, f"at most {order.amount} is held", "AMOUNT_ABOVE_AUTHORIZED"
        )
    return amount
