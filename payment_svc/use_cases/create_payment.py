"""CreatePayment: accept a payment, once per idempotency key."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.clock import Clock
from chassis.errors import InvalidRequest
from chassis.money import InvalidAmount, Money, total
from payment_svc.domain import books
from payment_svc.domain.backlog import OPEN, Admission
from payment_svc.domain.checkout_page import CheckoutPage
from payment_svc.domain.errors import IdempotencyKeyReused, PaymentOrderIdInUse, QueueFull
from payment_svc.domain.payment import (
    Buyer,
    CaptureMethod,
    NewId,
    Order,
    PartialFailurePolicy,
    Payment,
    PaymentMethod,
)
from payment_svc.ports import (
    Accepted,
    Asked,
    KeyReused,
    NewPayment,
    OrderIdInUse,
    PaymentStore,
    Sellers,
)
from payment_svc.sagas import engine
from payment_svc.sagas.catalogue import FIRST
from payment_svc.sagas.journey import Progress
from privacy.masked import Secret

METHOD = "CreatePayment"


@dataclass(frozen=True, slots=True)
class NewOrder:
    """One seller's part, as asked."""

    seller_account: str
    amount: Money
    payment_order_id: str


@dataclass(frozen=True, slots=True)
class CreatePayment:
    """A payment, as asked."""

    asked: Asked
    checkout_id: str
    buyer: Buyer
    payment_token: Secret[str] | None
    orders: Sequence[NewOrder]
    capture_method: CaptureMethod = CaptureMethod.AUTOMATIC
    partial_failure_policy: PartialFailurePolicy = PartialFailurePolicy.ALL_OR_NOTHING
    page: CheckoutPage | None = None  # where the buyer pays, in the place of a token
    method: PaymentMethod = PaymentMethod.CARD


async def create_payment(
    command: CreatePayment,
    *,
    store: PaymentStore,
    sellers: Sellers,
    clock: Clock,
    new_id: NewId,
    render: Callable[[Payment], bytes],
    admission: Admission = OPEN,
) -> Accepted:
    """Accept a payment: store it whole and answer PENDING; a known key answers as the first time.

    Args:
        command: what is asked.
        store: where payments rest.
        sellers: tells who may be paid.
        clock: tells the time.
        new_id: makes an id of a prefix.
        render: writes the first answer, which is kept verbatim.
        admission: says whether another one is taken in now.

    Raises:
        InvalidRequest: two currencies, a payment_order_id twice, a sum beyond an amount's bounds, a
            charge per order or a bank debit with manual capture, or a seller whom nobody knows;
            nothing is stored.
        IdempotencyKeyReused: the key belongs to another request.
        PaymentOrderIdInUse: an order that has not failed has the id; the key is not consumed.
        QueueFull: too much waits to be worked on; nothing is stored, a known key is answered.
    """
    _check_orders(command.orders)
    _check_policy(command)
    if (wait := admission.wait()) is not None:
        known = await store.known(command.asked)
        if known is None:
            raise QueueFull(wait)
        return replayed(known)
    await _check_sellers(command, sellers)
    now = clock()
    payment = Payment(
        payment_id=new_id("pay"),
        client_id=command.asked.client_id,
        checkout_id=command.checkout_id,
        buyer=command.buyer,
        payment_token=command.payment_token,
        orders=tuple(_order(order, new_id) for order in command.orders),
        created_at=now,
        capture_method=command.capture_method,
        partial_failure_policy=command.partial_failure_policy,
        page=command.page,
        method=command.method,
    )
    sagas = _first_sagas(payment, new_id, now)
    accepted = await store.accept(NewPayment(command.asked, payment, sagas, render(payment)))
    match accepted:
        case KeyReused(fields):
            raise IdempotencyKeyReused(fields)
        case OrderIdInUse(payment_order_ids):
            raise PaymentOrderIdInUse(payment_order_ids)
        case Accepted():
            return accepted


def replayed(known: Accepted | KeyReused) -> Accepted:
    """Answer a key that is known as the first time.

    Raises:
        IdempotencyKeyReused: the key belongs to another request.
    """
    if isinstance(known, KeyReused):
        raise IdempotencyKeyReused(known.fields)
    return known


def _first_sagas(payment: Payment, new_id: NewId, now: datetime) -> tuple[Progress, ...]:
    """Begin one saga for the payment, or one for each order that has a charge of its own."""
    first = FIRST[payment.capture_method]
    if payment.partial_failure_policy is PartialFailurePolicy.ALL_OR_NOTHING:
        return (engine.begin(first, new_id("sga"), payment, now),)
    ids = [order.order_id for order in payment.orders]
    return tuple(engine.begin(first, new_id("sga"), payment, now, order_id=one) for one in ids)


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
    try:
        total((order.amount for order in orders), orders[0].amount.currency)
    except InvalidAmount as error:
        why = f"the sum of the amounts: {error}"
        raise InvalidRequest.field("payment_orders", why, "INVALID_AMOUNT") from error


def _check_policy(command: CreatePayment) -> None:
    is_whole = command.partial_failure_policy is PartialFailurePolicy.ALL_OR_NOTHING
    if command.capture_method is CaptureMethod.MANUAL and not is_whole:
        raise InvalidRequest.field(
            "partial_failure_policy", "manual capture goes with ALL_OR_NOTHING"
        )
    is_debit = command.method is PaymentMethod.BANK_DEBIT
    if is_debit and command.capture_method is CaptureMethod.MANUAL:
        raise InvalidRequest.field("capture_method", "a bank debit cannot be held")


async def _check_sellers(command: CreatePayment, sellers: Sellers) -> None:
    names = [
        books.seller_account(command.asked.client_id, o.seller_account, o.amount.currency)
        for o in command.orders
    ]
    missing = set(await sellers.missing(names))
    for index, name in enumerate(names):
        if name in missing:
            raise InvalidRequest.field(
                f"payment_orders[{index}].seller_account",
                f"is no seller with a wallet in {command.orders[index].amount.currency}",
                "UNKNOWN_SELLER",
            )
