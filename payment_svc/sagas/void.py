"""Void: let go of a held amount, because the client says so, or because nobody captured it in time.

A void that is refused is for a person: the money is held, and nobody knows why it cannot be let go.
"""

from datetime import datetime

from payment_svc.domain.payment import Failure
from payment_svc.domain.statuses import OrderStatus, PaymentStatus
from payment_svc.sagas import charging
from payment_svc.sagas.commands import VoidCharge
from payment_svc.sagas.journey import Journey, Saga, Step, nothing
from payment_svc.sagas.outcomes import Done, Outcome

EXPIRED = Failure("AUTHORIZATION_EXPIRED", "Nobody captured the payment in time.")


def cancel_orders(journey: Journey, outcome: Outcome, now: datetime) -> Journey:
    """Tell the caller that it is over."""
    if not isinstance(outcome, Done):
        return journey
    return journey.with_orders(lambda order: order.move(OrderStatus.CANCELLED), now)


def take_expired(journey: Journey, outcome: Outcome, _: datetime) -> Journey:
    """Take the payment, unless the client was first: whoever moves it from REQUIRES_CAPTURE has
    it.
    """
    is_held = journey.payment.status is PaymentStatus.REQUIRES_CAPTURE
    if not isinstance(outcome, Done) or not is_held:
        return journey
    journey = journey.with_orders(lambda order: order.move(OrderStatus.EXECUTING))
    return journey.remember(expired="true")


def void_expired(journey: Journey) -> VoidCharge | None:
    """Let go, if the payment was taken for that."""
    return charging.void_charge(journey) if "expired" in journey.progress.memory else None


def cancel_expired(journey: Journey, outcome: Outcome, now: datetime) -> Journey:
    """Tell the caller that it is over, and why."""
    if not isinstance(outcome, Done) or "expired" not in journey.progress.memory:
        return journey
    return journey.with_orders(lambda order: order.move(OrderStatus.CANCELLED, EXPIRED), now)


VOID = Saga(
    kind="void",
    version=1,
    steps=(Step("void", do=charging.void_charge, on=cancel_orders),),
)

EXPIRE = Saga(
    kind="expire",
    version=1,
    steps=(
        Step("take", do=nothing, on=take_expired),
        Step("void", do=void_expired, on=cancel_expired),
    ),
)
