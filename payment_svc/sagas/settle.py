"""Settle: what a completed payment credited becomes available to its sellers."""

from payment_svc.domain import books
from payment_svc.sagas.booking import taken_orders
from payment_svc.sagas.commands import SettleCredits, WalletOperation
from payment_svc.sagas.journey import Journey, Saga, Step


def settle_credits(journey: Journey) -> SettleCredits:
    """Move each seller's credit from pending to available."""
    payment = journey.payment
    operations = tuple(
        WalletOperation(
            books.settle_operation(order), books.order_wallet(payment, order), order.taken
        )
        for order in taken_orders(journey)
    )
    return SettleCredits(payment.payment_id, operations)


SETTLE = Saga(kind="settle", version=1, steps=(Step("settle", do=settle_credits),))
