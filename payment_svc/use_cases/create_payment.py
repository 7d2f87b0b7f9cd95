"""CreatePayment: accept a payment, once per idempotency key."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chassis.clock import Clock
from chassis.errors import InvalidRequest
from chassis.money import Money
from payment_svc.domain.errors import IdempotencyKeyReused, PaymentOrderIdInUse
from payment_svc.domain.payment import Buyer, NewId, Order, Payment
from payment_svc.ports import Accepted, KeyReused, NewPayment, OrderIdInUse, PaymentStore
from payment_svc.sagas import engine
from payment_svc.sagas.pay_in import PAY_IN

METHOD = "CreatePayment"


@dataclass(frozen=True, slots=True)
class NewOrder:
    """One seller's part, as asked."""

    seller_account: str
    amount: Money
    payment_order_id: str


@dataclass(frozen=True, slots=True)
class CreatePayment:
    """A payment, as asked by `client_id` under `idempotency_key`."""

    client_id: str
    idempotency_key: str
    fingerprint: Mapping[str, str]
    checkout_id: str
    buyer: Buyer
    payment_token: str
    orders: Sequence[NewOrder]


async def create_payment(
    command: CreatePayment,
    *,
    store: PaymentStore,
    clock: Clock,
    new_id: NewId,
    render: Callable[[Payment], bytes],
) -> Accepted:
    """Accept a payment: store it whole and answer PENDING; a known key answers as the first time.

    Args:
        command: what is asked.
        store: where payments rest.
        clock: tells the time.
        new_id: makes an id of a prefix.
        render: writes the first answer, which is kept verbatim.

    Raises:
        InvalidRequest: two currencies, or a payment_order_id twice; nothing is stored.
        IdempotencyKeyReused: the key belongs to another request.
        PaymentOrderIdInUse: an order that has not failed has the id; the key is not consumed.
    """
    _check_orders(command.orders)
    now = clock()
    payment = Payment(
        payment_id=new_id("pay"),
        client_id=command.client_id,
        checkout_id=command.checkout_id,
        buyer=command.buyer,
        payment_token=command.payment_token,
        orders=tuple(_order(order, new_id) for order in command.orders),
        created_at=now,
    )
    accepted = await store.accept(
        NewPayment(
            payment=payment,
            saga=engine.begin(PAY_IN, new_id("sga"), payment, now),
            method=METHOD,
            idempotency_key=command.idempotency_key,
            fingerprint=command.fingerprint,
            answer=render(payment),
        )
    )
    match accepted:
        case KeyReused(fields):
            raise IdempotencyKeyReused(fields)
        case OrderIdInUse(payment_order_ids):
            raise PaymentOrderIdInUse(payment_order_ids)
        case Accepted():
            return accepted


def _order(order: NewOrder, new_id: NewId) -> Order:
    return Order(new_id("ord"), order.payment_order_id, order.seller_account, order.amount)


def _check_orders(orders: Sequence[NewOrder]) -> None:
    seen: set[str] = set()
    for index, order in enumerate(orders):
        path = f"payment_orders[{index}]"
        if order.amount.currency != orders[0].amount.currency:
            raise InvalidRequest.field(
                f"{path}.currency", "all orders of a payment share one currency", "MIXED_CURRENCIES"
            )
        if order.payment_order_id in seen:
            raise InvalidRequest.field(
                f"{path}.payment_order_id", "occurs twice", "DUPLICATE_PAYMENT_ORDER_ID"
            )
        seen.add(order.payment_order_id)
