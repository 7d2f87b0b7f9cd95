"""The steps that deal with the PSP: charge or hold, capture, void, and give back."""

from datetime import datetime

from chassis.changed import changed
from payment_svc.domain import books
from payment_svc.domain.payment import CaptureMethod, Order
from payment_svc.domain.statuses import OrderStatus
from payment_svc.sagas.commands import (
    AssessPayment,
    CaptureCharge,
    ExecuteCharge,
    RefundCharge,
    VoidCharge,
)
from payment_svc.sagas.journey import LAST_TRY, Journey
from payment_svc.sagas.outcomes import Again, Done, Outcome, Stuck, Waiting

_OTHER_AMOUNT = "AMOUNT_MISMATCH"


def start_payment(journey: Journey) -> Journey:
    """Tell the caller that it is being worked on."""
    return journey.with_orders(lambda order: order)


def assess_payment(journey: Journey) -> AssessPayment:
    """Ask whether it may go ahead. Never undone: an attempt, once counted, is counted."""
    return AssessPayment(journey.payment, journey.orders)


def name_charge(journey: Journey) -> Journey:
    """Put the attempt's id on disk before the PSP hears of it."""
    journey = journey.remember(charge_attempt_id=books.charge_attempt(journey.scope))
    return journey.with_orders(_execute)


def charge_orders(journey: Journey) -> ExecuteCharge:
    """Take the whole amount, or have it held: one charge covers all orders of the saga."""
    payment = journey.payment
    if payment.payment_token is None and payment.page is None:
        raise AssertionError(f"{payment.payment_id} has no token to charge")
    return ExecuteCharge(
        attempt_id=journey.progress.memory["charge_attempt_id"],
        payment_id=payment.payment_id,
        client_id=payment.client_id,
        amount=journey.amount,
        payment_token=payment.payment_token,
        is_held=payment.capture_method is CaptureMethod.MANUAL,
        page=payment.page,
        buyer=payment.buyer,
        is_last_try=LAST_TRY in journey.progress.memory,
        method=payment.method,
    )


def on_charge(journey: Journey, outcome: Outcome, _: datetime) -> Journey:
    """Tell the caller when the buyer must act, and when it is not known whether money moved."""
    match outcome:
        case Again() | Stuck() | Waiting(unheard=True):
            return journey
        case Waiting(unknown=True):
            return journey.with_orders(lambda order: order.move(OrderStatus.UNKNOWN))
        case Waiting(redirect_url=str(url)):
            return journey.with_orders(lambda order: changed(_execute(order), redirect_url=url))
        case _:
            return journey.with_orders(_execute)


def on_authorize(journey: Journey, outcome: Outcome, now: datetime) -> Journey:
    """Tell the caller that the amount is held, and until when."""
    if not isinstance(outcome, Done):
        return on_charge(journey, outcome, now)
    until = datetime.fromisoformat(outcome.facts["expires_at"])
    journey = journey.with_orders(lambda order: order.move(OrderStatus.AUTHORIZED))
    return journey.with_payment(changed(journey.payment, capture_before=until))


def refund_charge(journey: Journey) -> RefundCharge | None:
    """Give the charge back, if there was one."""
    memory = journey.progress.memory
    if "psp_reference" not in memory:
        return None
    return RefundCharge(
        attempt_id=books.refund_attempt(memory["charge_attempt_id"]),
        charge_attempt_id=memory["charge_attempt_id"],
        amount=journey.amount,
    )


def name_capture(journey: Journey) -> Journey:
    """Put the attempt's id on disk; it is what a refund would give back."""
    return journey.remember(charge_attempt_id=books.capture_attempt(journey.scope))


def capture_charge(journey: Journey) -> CaptureCharge:
    """Take as much of what is held as the client asked for; the PSP lets go of the rest."""
    return CaptureCharge(
        attempt_id=journey.progress.memory["charge_attempt_id"],
        charge_attempt_id=books.charge_attempt(journey.scope),
        amount=journey.amount,
    )


def on_capture(journey: Journey, outcome: Outcome, _: datetime) -> Journey:
    """Tell the caller when it is not known whether money moved."""
    match outcome:
        case Again() | Stuck() | Waiting(unheard=True):
            return journey
        case Waiting(unknown=True):
            status = OrderStatus.UNKNOWN
        case _:
            status = OrderStatus.EXECUTING
    return journey.with_orders(lambda order: order.move(status) if is_taken(order) else order)


def void_charge(journey: Journey) -> VoidCharge:
    """Let go of what is held."""
    return VoidCharge(
        attempt_id=books.void_attempt(journey.scope),
        charge_attempt_id=books.charge_attempt(journey.scope),
        amount=journey.payment.amount,
    )


def void_unless_captured(journey: Journey) -> VoidCharge | None:
    """Let go of what is held; what was captured is given back by a refund instead, and by the saga
    of a late success if the PSP captured another amount than was asked for.
    """
    memory = journey.progress.memory
    is_captured = "psp_reference" in memory or memory.get("failure_reason") == _OTHER_AMOUNT
    return None if is_captured else void_charge(journey)


def is_taken(order: Order) -> bool:
    """Whether anything is taken from the buyer for an order."""
    return order.taken.amount > 0


def _execute(order: Order) -> Order:
    return order.move(OrderStatus.EXECUTING)
