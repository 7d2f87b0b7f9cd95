"""A payment and its orders: what one buyer owes in one checkout, and each seller's part of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from chassis.money import Money, total
from payment_svc.domain.statuses import (
    ORDER_MOVES,
    PAYMENT_MOVES,
    IllegalMove,
    OrderStatus,
    PaymentStatus,
)

NewId = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who pays. What the caller did not tell is None."""

    buyer_id: str
    email: str | None = None
    ip_address: str | None = None
    country_code: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a payment did not succeed; `psp_code` is empty when no PSP was asked."""

    reason: str
    message: str
    psp_code: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """One seller's part. `order_id` is ours, `payment_order_id` the caller's."""

    order_id: str
    payment_order_id: str
    seller_account: str
    amount: Money
    status: OrderStatus = OrderStatus.PENDING

    def move(self, status: OrderStatus) -> "Order":
        """Take another status; the same status again is no move.

        Raises:
            IllegalMove: it cannot follow the present one.
        """
        if status == self.status:
            return self
        if status not in ORDER_MOVES[self.status]:
            raise IllegalMove(f"order {self.order_id}: {self.status} → {status}")
        return replace(self, status=status)


@dataclass(frozen=True, slots=True)
class Payment:
    """What one buyer owes in one checkout. All orders share one currency.

    `version` counts the status changes; it numbers the events that others see. `payment_token` is
    the PSP's token of the card, dropped once the payment is over.
    """

    payment_id: str
    client_id: str
    checkout_id: str
    buyer: Buyer
    payment_token: str | None
    orders: tuple[Order, ...]
    created_at: datetime
    status: PaymentStatus = PaymentStatus.PENDING
    version: int = 1
    executed_at: datetime | None = None
    failure: Failure | None = None
    redirect_url: str | None = None

    @property
    def currency(self) -> str:
        """The currency of every order."""
        return self.orders[0].amount.currency

    @property
    def amount(self) -> Money:
        """The sum of the orders."""
        return total((order.amount for order in self.orders), self.currency)

    def move(self, status: PaymentStatus) -> "Payment":
        """Take another status; the same status again is no move.

        Raises:
            IllegalMove: it cannot follow the present one.
        """
        if status == self.status:
            return self
        if status not in PAYMENT_MOVES[self.status]:
            raise IllegalMove(f"payment {self.payment_id}: {self.status} → {status}")
        return replace(self, status=status, version=self.version + 1)

    def move_orders(self, status: OrderStatus) -> "Payment":
        """Give every order another status.

        Raises:
            IllegalMove: for one of them it cannot follow.
        """
        return replace(self, orders=tuple(order.move(status) for order in self.orders))
