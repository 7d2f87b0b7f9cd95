"""The steps that follow the money: credit the wallets, book it, tell the world how it ended."""

from datetime import datetime

from payment_svc.domain import books
from payment_svc.domain.payment import Failure, Order
from payment_svc.domain.statuses import OrderStatus
from payment_svc.sagas.charging import is_taken
from payment_svc.sagas.commands import (
    CreditWallets,
    PostCapture,
    ReverseCredits,
    ReversePosting,
    WalletOperation,
)
from payment_svc.sagas.journey import Journey
from payment_svc.sagas.outcomes import Done, Outcome


def credit_wallets(journey: Journey) -> CreditWallets:
    """Credit each seller, pending."""
    payment = journey.payment
    operations = tuple(
        WalletOperation(
            books.credit_operation(order), books.order_wallet(payment, order), order.taken
        )
        for order in taken_orders(journey)
    )
    return CreditWallets(payment.payment_id, operations)


def reverse_credits(journey: Journey) -> ReverseCredits:
    """Take the credits back, also one that is still on its way."""
    return ReverseCredits(tuple(books.credit_operation(o) for o in taken_orders(journey)))


def post_to_ledger(journey: Journey) -> PostCapture:
    """Book it: the PSP owes us, we owe the sellers."""
    payment = journey.payment
    return PostCapture(
        reference=books.captured_reference(journey.scope),
        scope=journey.scope,
        payment_id=payment.payment_id,
        client_id=payment.client_id,
        psp=journey.progress.memory["psp"],
        amount=journey.amount,
        shares=tuple((order.seller_account, order.taken) for order in taken_orders(journey)),
    )


def reverse_posting(journey: Journey) -> ReversePosting:
    """Reverse the booking, also one that is still on its way."""
    reason = journey.progress.memory["failure_reason"]
    return ReversePosting(books.captured_reference(journey.scope), reason)


def confirm_orders(journey: Journey, outcome: Outcome, now: datetime) -> Journey:
    """Tell the world: orders SUCCESS, and those of which nothing was captured CANCELLED."""
    if not isinstance(outcome, Done):
        return journey

    def end(order: Order) -> Order:
        return order.move(OrderStatus.SUCCESS if is_taken(order) else OrderStatus.CANCELLED)

    return journey.with_orders(end, now)


def fail_orders(journey: Journey, now: datetime) -> Journey:
    """End them: nothing was kept, and the reason is told."""
    memory = journey.progress.memory
    failure = Failure(
        memory["failure_reason"], memory["failure_message"], memory["failure_psp_code"]
    )
    return journey.with_orders(lambda order: order.move(OrderStatus.FAILED, failure), now)


def taken_orders(journey: Journey) -> tuple[Order, ...]:
    """List the orders for which anything is taken."""
    return tuple(order for order in journey.orders if is_taken(order))
