"""Pay-in: from the accepted payment to the balanced books, or back."""

from dataclasses import replace
from datetime import datetime

from payment_svc.domain import books
from payment_svc.domain.payment import Failure, Payment
from payment_svc.domain.statuses import OrderStatus, PaymentStatus
from payment_svc.sagas.commands import (
    AssessPayment,
    CreditWallets,
    ExecuteCharge,
    PostCapture,
    RefundCharge,
    ReverseCredits,
    ReversePosting,
    WalletOperation,
)
from payment_svc.sagas.engine import Journey, Saga, Step, nothing
from payment_svc.sagas.outcomes import Again, Done, Outcome, Stuck, Waiting


def start_payment(journey: Journey) -> Journey:
    """Tell the caller that it is being worked on."""
    return journey.with_payment(_processing(journey.payment))


def assess_payment(journey: Journey) -> AssessPayment:
    """Ask whether it may go ahead. Never undone: an attempt, once counted, is counted."""
    return AssessPayment(journey.payment)


def name_attempt(journey: Journey) -> Journey:
    """Put the attempt's id on disk before the PSP hears of it."""
    attempt_id = books.charge_attempt(journey.payment, 1)
    payment = journey.payment.move_orders(OrderStatus.EXECUTING)
    return journey.remember(charge_attempt_id=attempt_id).with_payment(payment)


def charge_orders(journey: Journey) -> ExecuteCharge:
    """Take the whole amount: one charge covers all orders."""
    payment = journey.payment
    if payment.payment_token is None:
        raise AssertionError(f"{payment.payment_id} has no token to charge")
    return ExecuteCharge(
        attempt_id=journey.progress.memory["charge_attempt_id"],
        payment_id=payment.payment_id,
        client_id=payment.client_id,
        amount=payment.amount,
        payment_token=payment.payment_token,
    )


def on_charge(journey: Journey, outcome: Outcome, _: datetime) -> Journey:
    """Tell the caller when the buyer must act, and when it is not known whether money moved."""
    payment = journey.payment
    if isinstance(outcome, Again | Stuck):
        return journey
    if isinstance(outcome, Waiting) and outcome.unknown:
        return journey.with_payment(_processing(payment).move_orders(OrderStatus.UNKNOWN))
    if isinstance(outcome, Waiting) and outcome.redirect_url is not None:
        return journey.with_payment(_requires_action(payment, outcome.redirect_url))
    return journey.with_payment(_processing(payment).move_orders(OrderStatus.EXECUTING))


def refund_charges(journey: Journey) -> RefundCharge | None:
    """Give the charge back, if there was one."""
    memory = journey.progress.memory
    if "psp_reference" not in memory:
        return None
    return RefundCharge(
        attempt_id=books.refund_attempt(memory["charge_attempt_id"]),
        charge_attempt_id=memory["charge_attempt_id"],
        amount=journey.payment.amount,
    )


def credit_wallets(journey: Journey) -> CreditWallets:
    """Credit each seller, pending."""
    payment = journey.payment
    operations = tuple(
        WalletOperation(
            books.credit_operation(order), books.order_wallet(payment, order), order.amount
        )
        for order in payment.orders
    )
    return CreditWallets(payment.payment_id, operations)


def reverse_credits(journey: Journey) -> ReverseCredits:
    """Take the credits back, also one that is still on its way."""
    return ReverseCredits(tuple(books.credit_operation(order) for order in journey.payment.orders))


def post_to_ledger(journey: Journey) -> PostCapture:
    """Book it: the PSP owes us, we owe the sellers."""
    payment = journey.payment
    return PostCapture(
        reference=books.captured_reference(payment),
        payment_id=payment.payment_id,
        psp=journey.progress.memory["psp"],
        amount=payment.amount,
        credits=tuple(
            (books.order_wallet(payment, order), order.amount) for order in payment.orders
        ),
    )


def reverse_posting(journey: Journey) -> ReversePosting:
    """Reverse the booking, also one that is still on its way."""
    reason = journey.progress.memory["failure_reason"]
    return ReversePosting(books.captured_reference(journey.payment), reason)


def confirm_payment(journey: Journey, outcome: Outcome, now: datetime) -> Journey:
    """Tell the world: orders SUCCESS, payment COMPLETED."""
    if not isinstance(outcome, Done):
        return journey
    payment = journey.payment.move_orders(OrderStatus.SUCCESS).move(PaymentStatus.COMPLETED)
    return journey.with_payment(_over(payment, executed_at=now, failure=None))


def fail_payment(journey: Journey) -> Journey:
    """End it: nothing was kept, and the reason is told."""
    memory = journey.progress.memory
    failure = Failure(
        memory["failure_reason"], memory["failure_message"], memory["failure_psp_code"]
    )
    payment = _processing(journey.payment).move_orders(OrderStatus.FAILED)
    payment = payment.move(PaymentStatus.FAILED)
    return journey.with_payment(_over(payment, executed_at=None, failure=failure))


def _over(payment: Payment, executed_at: datetime | None, failure: Failure | None) -> Payment:
    """Drop the token with the last status: nobody needs it any more."""
    return replace(payment, payment_token=None, executed_at=executed_at, failure=failure)


def _processing(payment: Payment) -> Payment:
    return replace(payment.move(PaymentStatus.PROCESSING), redirect_url=None)


def _requires_action(payment: Payment, redirect_url: str) -> Payment:
    payment = payment.move_orders(OrderStatus.EXECUTING).move(PaymentStatus.REQUIRES_ACTION)
    return replace(payment, redirect_url=redirect_url)


PAY_IN = Saga(
    kind="pay_in",
    version=1,
    steps=(
        Step("assess", do=assess_payment),
        Step("charge", enter=name_attempt, do=charge_orders, undo=refund_charges, on=on_charge),
        Step("credit", do=credit_wallets, undo=reverse_credits),
        Step("post", do=post_to_ledger, undo=reverse_posting),
        Step("confirm", do=nothing, on=confirm_payment),
    ),
    start=start_payment,
    fail=fail_payment,
    then="settle",
)
