"""Builders of the things that tests are about; every hidden default is harmless."""

from datetime import UTC, datetime
from itertools import count

from chassis.ids import new_id
from chassis.money import Money
from payment_svc.domain.payment import Buyer, Order, Payment
from payment_svc.ports import Asked, NewPayment
from payment_svc.sagas import engine
from payment_svc.sagas.journey import Journey, Saga
from payment_svc.sagas.pay_in import PAY_IN
from privacy.masked import Personal, Secret

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
_serial = count(1)


def make_id(prefix: str) -> str:
    """Make an id that no other call makes."""
    serial = next(_serial)
    return new_id(prefix, NOW, lambda size: serial.to_bytes(size, "big"))


def make_order(amount: str = "99.99", currency: str = "USD", seller: str = "seller_456") -> Order:
    """Make a pending order."""
    order_id = make_id("ord")
    return Order(order_id, f"caller-{order_id}", seller, Money.parse(amount, currency))


def make_payment(*orders: Order, client_id: str = "demo") -> Payment:
    """Make a pending payment; of one order when none is given."""
    return Payment(
        payment_id=make_id("pay"),
        client_id=client_id,
        checkout_id="checkout_abc",
        buyer=Buyer("buyer_123", Personal("buyer@example.com")),
        payment_token=Secret("psp_card_token_xyz"),
        orders=orders or (make_order(),),
        created_at=NOW,
    )


def make_journey(payment: Payment | None = None, saga: Saga = PAY_IN) -> Journey:
    """Make a journey at its beginning, taken up."""
    payment = payment or make_payment()
    journey = Journey(engine.begin(saga, make_id("sga"), payment, NOW), payment)
    return engine.take_up(saga, journey)


def make_asked(method: str, key: str = "k", client_id: str = "demo") -> Asked:
    """Make who asks for what under which key."""
    return Asked(client_id, method, key, fingerprint={"payment_id": "f"})


def make_new_payment(
    payment: Payment | None = None, *, key: str | None = None, fingerprint: str = "f"
) -> NewPayment:
    """Make a payment to be accepted, under a key of its own."""
    payment = payment or make_payment()
    asked = Asked(
        client_id=payment.client_id,
        method="CreatePayment",
        idempotency_key=key or payment.payment_id,
        fingerprint={"checkout_id": fingerprint},
    )
    saga = engine.begin(PAY_IN, make_id("sga"), payment, NOW)
    return NewPayment(asked, payment, (saga,), answer=payment.payment_id.encode())
