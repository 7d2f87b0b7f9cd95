"""The PaymentIntent's state machine: each call as (intent, request, ids, now) → change. Pure."""

from dataclasses import replace

from devstack.sandbox.stripe.attempts import NewId, attempt, let_go
from devstack.sandbox.stripe.changes import Change, of_intent
from devstack.sandbox.stripe.errors import StripeError, invalid, unexpected_state
from devstack.sandbox.stripe.objects import Charge, Intent
from devstack.sandbox.stripe.requests import CaptureRequest, ConfirmRequest, CreateRequest
from devstack.sandbox.stripe.tokens import DEBITS, behaviour_of

_CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
_CANCELABLE = (
    "requires_payment_method",
    "requires_capture",
    "requires_confirmation",
    "requires_action",
)


def create(request: CreateRequest, new_id: NewId, now: float) -> Change:
    """Make an intent, and confirm it when that is asked for."""
    intent = Intent(
        id=new_id("pi_"),
        amount=request.amount,
        currency=request.currency,
        status="requires_confirmation" if request.how.payment_method else "requires_payment_method",
        created=int(now),
        metadata=request.metadata,
        capture_method=request.how.capture_method or "automatic",
        confirmation_method=request.confirmation_method,
        payment_method=request.how.payment_method,
        payment_method_types=request.payment_method_types,
        automatic_methods=request.automatic_methods,
        customer=request.customer,
        echoed=request.how.echoed,
        wants_several=request.how.wants_several,
    )
    if request.confirm:
        return confirm(intent, request.how, new_id, now)
    return of_intent("created", intent, amount=0)


def confirm(intent: Intent, how: ConfirmRequest, new_id: NewId, now: float) -> Change:
    """Try to take an intent's money; a decline is a change too, answered 402.

    Raises:
        StripeError: its status forbids it, or it has no payment method.
    """
    if intent.status == "succeeded":
        message = "it has already succeeded after being previously confirmed."
        raise unexpected_state(f"You cannot confirm this PaymentIntent because {message}", intent)
    if intent.status not in _CONFIRMABLE:
        raise unexpected_state(_wrong_status(intent, "confirm", "confirmed", _CONFIRMABLE), intent)
    method = how.payment_method or intent.payment_method
    if method is None:
        raise unexpected_state(
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can "
            "either update the PaymentIntent with a payment method and then confirm it again, or "
            "confirm it again directly with a payment method.",
            intent,
        )
    _check_debit(intent, method, how)
    confirmed = replace(
        intent,
        payment_method=method,
        capture_method=how.capture_method or intent.capture_method,
        return_url=how.return_url or intent.return_url,
        wants_several=how.wants_several or intent.wants_several,
        echoed={**intent.echoed, **how.echoed},
    )
    return attempt(confirmed, how, new_id, now)


def _check_debit(intent: Intent, method: str, how: ConfirmRequest) -> None:
    """Refuse to debit a bank account without a mandate, or a card as if it were one."""
    types = intent.payment_method_types
    if not DEBITS.issuperset(types):
        return
    found = behaviour_of(method, types).method
    if found not in types:
        message = f"The PaymentMethod provided ({found}) is not allowed for this PaymentIntent."
        raise invalid(message, param="payment_method")
    if not how.has_mandate:
        message = f"This PaymentIntent requires a mandate, but no mandate was provided for {found}."
        raise invalid(message, param="mandate_data")


def capture(intent: Intent, charge: Charge | None, request: CaptureRequest) -> Change:
    """Take an authorized intent's money, or part of it; the rest is let go when it is the last.

    Raises:
        StripeError: it is not authorized, or for less.
    """
    if intent.status != "requires_capture" or charge is None:
        raise unexpected_state(
            f"This PaymentIntent could not be captured because it has a status of {intent.status}. "
            "Only a PaymentIntent with one of the following statuses may be captured: "
            "requires_capture.",
            intent,
        )
    amount = intent.amount_capturable if request.amount is None else request.amount
    if amount > intent.amount_capturable:
        message = "The requested capture amount is greater than the amount you can capture for this"
        raise StripeError(
            400,
            "invalid_request_error",
            f"{message} charge.",
            code="amount_too_large",
            param="amount_to_capture",
            executed=True,
            intent=intent,
        )
    if not request.is_final and not charge.takes_several:
        raise invalid("Multicapture is unavailable for this charge.", param="final_capture")
    return _captured(intent, charge, request, amount)


def _captured(intent: Intent, charge: Charge, request: CaptureRequest, amount: int) -> Change:
    metadata = {**intent.metadata, **request.metadata}
    left = intent.amount_capturable - amount
    is_last = request.is_final or not left
    received = intent.amount_received + amount
    captured = replace(
        intent,
        status="succeeded" if is_last else "requires_capture",
        amount_received=received,
        amount_capturable=0 if is_last else left,
        metadata=metadata,
        settles_at=None if is_last else intent.settles_at,
    )
    until = None if is_last else charge.capture_before
    taken = replace(charge, captured=is_last, amount_captured=received, capture_before=until)
    return of_intent("capture", captured, taken, amount=amount)


def cancel(intent: Intent, reason: str | None, now: float) -> Change:
    """Give up an intent; an authorization is voided.

    Raises:
        StripeError: its status forbids it.
    """
    if intent.status not in _CANCELABLE:
        raise unexpected_state(_wrong_status(intent, "cancel", "canceled", _CANCELABLE), intent)
    return let_go(intent, reason, now)


def _wrong_status(intent: Intent, verb: str, done: str, allowed: tuple[str, ...]) -> str:
    return (
        f"You cannot {verb} this PaymentIntent because it has a status of {intent.status}. Only a "
        f"PaymentIntent with one of the following statuses may be {done}: {', '.join(allowed)}."
    )
