"""A payment and its orders: what one buyer owes in one checkout, and each seller's part of it."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chassis.changed import changed
from chassis.money import Money, total
from payment_svc.domain.checkout_page import CheckoutPage
from payment_svc.domain.statuses import (
    FINAL,
    ORDER_MOVES,
    PAYMENT_MOVES,
    IllegalMove,
    OrderStatus,
    PaymentStatus,
)
from privacy.masked import Personal, Secret

NewId = Callable[[str], str]


class CaptureMethod(StrEnum):
    """When the money is taken: with the charge, or when the client captures what was held."""

    AUTOMATIC = "AUTOMATIC"
    MANUAL = "MANUAL"


class PaymentMethod(StrEnum):
    """What a buyer pays with."""

    CARD = "CARD"
    WALLET = "WALLET"
    BANK_DEBIT = "BANK_DEBIT"


class PartialFailurePolicy(StrEnum):
    """What becomes of a payment of which one order cannot be completed.

    ALL_OR_NOTHING: one charge covers all orders, and one that fails undoes the whole.
    KEEP_SUCCESSFUL: a charge per order; what succeeded stays.
    """

    ALL_OR_NOTHING = "ALL_OR_NOTHING"
    KEEP_SUCCESSFUL = "KEEP_SUCCESSFUL"


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who pays. What the caller did not tell is None."""

    buyer_id: str
    email: Personal[str] | None = None
    ip_address: Personal[str] | None = None
    country_code: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a payment or an order did not succeed; `psp_code` is empty when no PSP was asked."""

    reason: str
    message: str
    psp_code: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """One seller's part. `order_id` is ours, `payment_order_id` the caller's.

    Attributes:
        captured: what the client asked to capture of a held amount; zero: nothing of this order.
        redirect_url: where the buyer has to go before its charge can go on; empty when the PSP's
            own script in the page does it; None: the buyer has nothing to do.
    """

    order_id: str
    payment_order_id: str
    seller_account: str
    amount: Money
    status: OrderStatus = OrderStatus.PENDING
    captured: Money | None = None
    failure: Failure | None = None
    redirect_url: str | None = None

    @property
    def taken(self) -> Money:
        """What is taken from the buyer for it: its amount, or as much as is captured."""
        return self.amount if self.captured is None else self.captured

    def move(self, status: OrderStatus, failure: Failure | None = None) -> "Order":
        """Take another status; the same status again is no move. Any move ends a redirection.

        Raises:
            IllegalMove: it cannot follow the present one.
        """
        if status is not self.status and status not in ORDER_MOVES[self.status]:
            raise IllegalMove(f"order {self.order_id}: {self.status} → {status}")
        return changed(self, status=status, failure=failure, redirect_url=None)


@dataclass(frozen=True, slots=True)
class Payment:
    """What one buyer owes in one checkout. All orders share one currency.

    Attributes:
        payment_token: the PSP's token of the card, dropped when no charge needs it any more; None
            with a page.
        page: where the buyer pays, in the place of a token; None with one.
        version: counts the status changes; it numbers the events that others see.
        revision: counts the writes; a change of what is no longer the newest is refused.
        trail: the statuses taken since it was read.
        method: what the buyer pays with.
        capture_before: when the PSP gives up holding the amount; None unless it is held.
    """

    payment_id: str
    client_id: str
    checkout_id: str
    buyer: Buyer
    payment_token: Secret[str] | None
    orders: tuple[Order, ...]
    created_at: datetime
    capture_method: CaptureMethod = CaptureMethod.AUTOMATIC
    partial_failure_policy: PartialFailurePolicy = PartialFailurePolicy.ALL_OR_NOTHING
    status: PaymentStatus = PaymentStatus.PENDING
    version: int = 1
    revision: int = 1
    trail: tuple[PaymentStatus, ...] = ()
    executed_at: datetime | None = None
    capture_before: datetime | None = None
    failure: Failure | None = None
    page: CheckoutPage | None = None
    method: PaymentMethod = PaymentMethod.CARD

    @property
    def currency(self) -> str:
        """The currency of every order."""
        return self.orders[0].amount.currency

    @property
    def amount(self) -> Money:
        """The sum of the orders."""
        return total((order.amount for order in self.orders), self.currency)

    @property
    def is_unknown(self) -> bool:
        """Whether it is not known if money of it moved."""
        return any(order.status is OrderStatus.UNKNOWN for order in self.orders)

    @property
    def redirect_url(self) -> str | None:
        """Where the buyer has to go: the first order's that waits for it; see `Order`."""
        return next((o.redirect_url for o in self.orders if o.redirect_url is not None), None)

    def move(self, status: PaymentStatus) -> "Payment":
        """Take another status; the same status again is no move.

        Raises:
            IllegalMove: it cannot follow the present one.
        """
        if status is self.status:
            return self
        if status not in PAYMENT_MOVES[self.status]:
            raise IllegalMove(f"payment {self.payment_id}: {self.status} → {status}")
        return changed(self, status=status, version=self.version + 1, trail=(*self.trail, status))

    def with_orders(self, moved: Sequence[Order], now: datetime | None = None) -> "Payment":
        """Put moved orders in their places, and take the status that follows from all of them.

        `now` is when the payment is executed, should it be complete by this.

        Raises:
            IllegalMove: the status that follows cannot.
        """
        by_id = {order.order_id: order for order in moved}
        orders = tuple(by_id.get(order.order_id, order) for order in self.orders)
        return _follow(changed(self, orders=orders), _status_of(orders), now)


_S = OrderStatus
_OPEN = frozenset({_S.PENDING, _S.EXECUTING, _S.UNKNOWN})


def _status_of(orders: Collection[Order]) -> PaymentStatus:
    """Tell what a payment under way is, by its orders."""
    statuses = {order.status for order in orders}
    if statuses & _OPEN:
        acts = any(order.redirect_url is not None for order in orders)  # perhaps without a redirect
        waits = acts and _S.UNKNOWN not in statuses
        return PaymentStatus.REQUIRES_ACTION if waits else PaymentStatus.PROCESSING
    if _S.AUTHORIZED in statuses:
        return PaymentStatus.REQUIRES_CAPTURE
    if _S.SUCCESS in statuses:
        whole = statuses == {_S.SUCCESS}
        return PaymentStatus.COMPLETED if whole else PaymentStatus.PARTIALLY_COMPLETED
    return PaymentStatus.CANCELLED if statuses == {_S.CANCELLED} else PaymentStatus.FAILED


def _follow(payment: Payment, status: PaymentStatus, now: datetime | None) -> Payment:
    """Take a status by way of PROCESSING, the hub of all moves, and what comes with it."""
    if status is not payment.status and status not in PAYMENT_MOVES[payment.status]:
        payment = payment.move(PaymentStatus.PROCESSING)
    moved = payment.move(status)
    if status is PaymentStatus.REQUIRES_CAPTURE:
        return changed(moved, payment_token=None)
    if status not in FINAL:
        return changed(moved, capture_before=None)
    first = next((order.failure for order in payment.orders if order.failure), None)
    is_kept = status in (PaymentStatus.COMPLETED, PaymentStatus.PARTIALLY_COMPLETED)
    return changed(
        moved,
        payment_token=None,
        capture_before=None,
        executed_at=now if is_kept else None,
        failure=None if is_kept else first,
    )
