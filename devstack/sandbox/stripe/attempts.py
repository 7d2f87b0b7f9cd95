"""One try to take an intent's money: what the payment method makes of it. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from devstack.sandbox.stripe.changes import Answer, Change, of_intent
from devstack.sandbox.stripe.objects import Charge, Intent
from devstack.sandbox.stripe.requests import ConfirmRequest
from devstack.sandbox.stripe.tokens import (
    AUTHENTICATION_REQUIRED,
    Behaviour,
    Decline,
    behaviour_of,
)

NewId = Callable[[str], str]

# docs.stripe.com/payments/place-a-hold-on-a-payment-method: then Stripe lets go by itself.
_HELD_FOR_S = 7 * 86_400.0
_FAILED_AUTHENTICATION = (
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or "
    "a new PaymentMethod to attempt to fulfill this PaymentIntent again."
)


def attempt(intent: Intent, how: ConfirmRequest, new_id: NewId, now: float) -> Change:
    """Try to charge an intent that has a payment method."""
    behaviour = behaviour_of(_method(intent), intent.payment_method_types)
    if behaviour.authenticates:
        if how.off_session or how.error_on_requires_action:
            return _decline(intent, AUTHENTICATION_REQUIRED, new_id, now)
        waiting = replace(intent, status="requires_action", last_payment_error=None)
        return of_intent("action_required", waiting, amount=0)
    if behaviour.settle_s is not None:
        return _process(intent, behaviour, new_id, now)
    return _settle(intent, behaviour, new_id, now)


def authenticate(intent: Intent, new_id: NewId, now: float, *, passed: bool) -> Change:
    """End a 3-D Secure challenge of an intent in requires_action."""
    if passed:
        behaviour = behaviour_of(_method(intent), intent.payment_method_types)
        return _settle(intent, behaviour, new_id, now)
    error = {
        "type": "invalid_request_error",
        "code": "payment_intent_authentication_failure",
        "message": _FAILED_AUTHENTICATION,
        "payment_method": method_body(_method(intent)),
    }
    return of_intent("decline", _back(intent, error))


def settle(intent: Intent, charge: Charge, new_id: NewId, now: float) -> Change:
    """Decide an intent that was processing, as its payment method has it; let go of one that was
    held for too long.
    """
    if intent.status == "requires_capture":
        return let_go(intent, "automatic", now)
    undecided = replace(intent, settles_at=None)
    behaviour = behaviour_of(charge.payment_method, intent.payment_method_types)
    return _settle(undecided, behaviour, new_id, now, charge.id)


def let_go(intent: Intent, reason: str | None, now: float) -> Change:
    """Give up an intent; what it holds is voided."""
    canceled = replace(
        intent,
        status="canceled",
        amount_capturable=0,
        canceled_at=int(now),
        cancellation_reason=reason,
        settles_at=None,
    )
    if intent.status == "requires_capture":
        return of_intent("void", canceled, amount=intent.amount_capturable)
    return of_intent("canceled", canceled, amount=0)


def _settle(
    intent: Intent, behaviour: Behaviour, new_id: NewId, now: float, charge_id: str | None = None
) -> Change:
    if behaviour.decline is not None:
        return _decline(intent, behaviour.decline, new_id, now, charge_id)
    manual = intent.capture_method == "manual"
    taken = intent.amount // behaviour.share
    charge = replace(
        _charge(intent, charge_id or new_id("ch_"), now),
        captured=not manual,
        amount_captured=0 if manual else taken,
        capture_before=int(now + _HELD_FOR_S) if manual else None,
        takes_several=manual and intent.wants_several and behaviour.takes_several,
    )
    charged = replace(
        intent,
        status="requires_capture" if manual else "succeeded",
        latest_charge=charge.id,
        amount_received=charge.amount_captured,
        amount_capturable=taken if manual else 0,
        last_payment_error=None,
        settles_at=now + _HELD_FOR_S if manual else None,
    )
    return of_intent("authorization" if manual else "charge", charged, charge, amount=taken)


def _process(intent: Intent, behaviour: Behaviour, new_id: NewId, now: float) -> Change:
    charge = replace(_charge(intent, new_id("ch_"), now), status="pending")
    settles_at = now + (behaviour.settle_s or 0.0) if behaviour.settles else None
    processing = replace(
        intent,
        status="processing",
        latest_charge=charge.id,
        last_payment_error=None,
        settles_at=settles_at,
    )
    return of_intent("processing", processing, charge, amount=0)


def _decline(
    intent: Intent, decline: Decline, new_id: NewId, now: float, charge_id: str | None = None
) -> Change:
    charge = replace(
        _charge(intent, charge_id or new_id("ch_"), now),
        status="failed",
        failure_code=decline.code,
        failure_message=decline.message,
        decline_code=decline.decline_code,
    )
    error = {
        "type": "card_error",
        "code": decline.code,
        "decline_code": decline.decline_code,
        "message": decline.message,
        "charge": charge.id,
        "payment_method": method_body(charge.payment_method),
    }
    if decline.param is not None:
        error["param"] = decline.param
    failed = replace(_back(intent, error), latest_charge=charge.id)
    return of_intent("decline", failed, charge, answer=Answer(402, failed, error))


def _back(intent: Intent, error: Mapping[str, Any]) -> Intent:
    """Send an intent back to be paid otherwise."""
    return replace(
        intent, status="requires_payment_method", payment_method=None, last_payment_error=error
    )


def _charge(intent: Intent, charge_id: str, now: float) -> Charge:
    return Charge(
        id=charge_id,
        payment_intent=intent.id,
        amount=intent.amount,
        currency=intent.currency,
        status="succeeded",
        created=int(now),
        payment_method=_method(intent),
        metadata=intent.metadata,
    )


def _method(intent: Intent) -> str:
    if intent.payment_method is None:
        raise AssertionError(f"{intent.id} has no payment method")
    return intent.payment_method


def method_body(token: str) -> dict[str, Any]:
    """Make the payment method as Stripe shows it inside an error."""
    behaviour = behaviour_of(token)
    detail: dict[str, Any] = {"last4": behaviour.last4}
    if behaviour.method == "card":
        detail["brand"] = behaviour.brand
    return {
        "id": token,
        "object": "payment_method",
        "type": behaviour.method,
        behaviour.method: detail,
        "livemode": False,
    }
