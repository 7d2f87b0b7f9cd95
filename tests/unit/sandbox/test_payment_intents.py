"""The PaymentIntent's state machine."""

from dataclasses import replace
from itertools import count
from typing import get_args

import pytest

from devstack.sandbox.stripe import attempts, payment_intents
from devstack.sandbox.stripe.changes import Change
from devstack.sandbox.stripe.errors import StripeError
from devstack.sandbox.stripe.objects import Charge, Intent, IntentStatus
from devstack.sandbox.stripe.requests import CaptureRequest, ConfirmRequest, CreateRequest

NOW = 1_800_000_000.0
_serial = count(1)


def new_id(prefix: str) -> str:
    """Make an id that no other call makes."""
    return f"{prefix}{next(_serial)}"


def create(
    token: str | None = "pm_card_visa",
    *,
    confirm: bool = True,
    capture_method: str | None = None,
    how: ConfirmRequest | None = None,
) -> Change:
    """Create an intent of 1,000 minor units."""
    how = how or ConfirmRequest(payment_method=token, capture_method=capture_method)
    request = CreateRequest(
        1_000, "usd", how, confirm, {"k": "v"}, ("card",), False, "automatic", None
    )
    return payment_intents.create(request, new_id, NOW)


def intent_of(change: Change) -> Intent:
    """Take the intent out of a change that has one."""
    assert change.intent is not None
    return change.intent


def charge_of(change: Change) -> Charge:
    """Take the charge out of a change that has one."""
    assert change.charge is not None
    return change.charge


def test_created_without_confirmation() -> None:
    """An intent waits for its method, or for its confirmation, and moves nothing."""
    with_method, without = create(confirm=False), create(None, confirm=False)

    assert intent_of(with_method).status == "requires_confirmation"
    assert intent_of(without).status == "requires_payment_method"
    assert (with_method.kind, with_method.amount, with_method.charge) == ("created", 0, None)


def test_automatic_capture_takes_all() -> None:
    """A confirmed intent has succeeded with one captured charge."""
    change = create()
    intent, charge = intent_of(change), charge_of(change)

    assert (change.kind, change.reference, change.amount) == ("charge", charge.id, 1_000)
    assert (intent.status, intent.amount_received, intent.latest_charge) == (
        "succeeded", 1_000, charge.id,
    )  # fmt: skip
    assert (charge.captured, charge.amount_captured) == (True, 1_000)


def test_manual_capture_in_part() -> None:
    """An authorization is taken in part, once; the rest is let go."""
    authorized = create(capture_method="manual")
    before = intent_of(authorized)
    change = payment_intents.capture(before, authorized.charge, CaptureRequest(700, {"m": "n"}))
    after = intent_of(change)

    assert (authorized.kind, before.status, before.amount_capturable) == (
        "authorization", "requires_capture", 1_000,
    )  # fmt: skip
    assert (change.kind, change.amount) == ("capture", 700)
    assert (after.status, after.amount_received, after.amount_capturable) == ("succeeded", 700, 0)
    assert after.metadata == {"k": "v", "m": "n"}
    with pytest.raises(StripeError, match="could not be captured"):
        payment_intents.capture(after, change.charge, CaptureRequest(None, {}))


def test_no_capture_above_the_authorization() -> None:
    """More than was authorized is refused."""
    authorized = create(capture_method="manual")

    with pytest.raises(StripeError) as refused:
        payment_intents.capture(intent_of(authorized), authorized.charge, CaptureRequest(1_001, {}))
    assert refused.value.error["code"] == "amount_too_large"
    assert refused.value.executed


def test_decline() -> None:
    """A declined intent can be paid otherwise; the answer is 402 with the intent inside."""
    change = create("pm_card_chargeDeclinedInsufficientFunds")
    intent, error = intent_of(change), change.answer.error

    assert (change.kind, change.answer.status, change.answer.subject) == ("decline", 402, intent)
    assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
    assert error is not None
    assert (error["code"], error["decline_code"]) == ("card_declined", "insufficient_funds")
    assert intent.last_payment_error == error
    assert charge_of(change).status == "failed"

    again = payment_intents.confirm(intent, ConfirmRequest("pm_card_visa"), new_id, NOW)

    assert intent_of(again).status == "succeeded"
    assert intent_of(again).last_payment_error is None


@pytest.mark.parametrize("flag", ["off_session", "error_on_requires_action"])
def test_authentication_without_the_buyer_declines(flag: str) -> None:
    """Who cannot authenticate is declined with authentication_required."""
    how = ConfirmRequest(
        "pm_card_threeDSecure2Required",
        off_session=flag == "off_session",
        error_on_requires_action=flag == "error_on_requires_action",
    )
    change = create(how=how)

    assert change.answer.status == 402
    assert change.answer.error is not None
    assert change.answer.error["code"] == "authentication_required"


@pytest.mark.parametrize(
    ("token", "passed", "kind", "status"),
    [
        ("pm_card_threeDSecure2Required", True, "charge", "succeeded"),
        ("pm_card_threeDSecure2Required", False, "decline", "requires_payment_method"),
        ("pm_card_threeDSecureRequiredChargeDeclined", True, "decline", "requires_payment_method"),
    ],
)
def test_authentication(token: str, passed: bool, kind: str, status: str) -> None:
    """Authentication passed charges the card, failed sends the intent back."""
    waiting = create(token)
    done = attempts.authenticate(intent_of(waiting), new_id, NOW, passed=passed)

    assert (waiting.kind, waiting.amount, intent_of(waiting).status) == (
        "action_required", 0, "requires_action",
    )  # fmt: skip
    assert (done.kind, intent_of(done).status) == (kind, status)


@pytest.mark.parametrize(
    ("token", "kind", "status"),
    [
        ("pm_usBankAccount_success", "charge", "succeeded"),
        ("pm_usBankAccount_insufficientFunds", "decline", "requires_payment_method"),
    ],
)
def test_slow_methods_settle_later(token: str, kind: str, status: str) -> None:
    """A bank debit is processing until its time, then decided on the same charge."""
    processing = create(token)
    intent, charge = intent_of(processing), charge_of(processing)
    done = attempts.settle(intent, charge, new_id, NOW + 60)

    assert (processing.kind, intent.status, intent.settles_at) == (
        "processing",
        "processing",
        NOW + 60,
    )
    assert charge.status == "pending"
    assert (done.kind, intent_of(done).status) == (kind, status)
    assert charge_of(done).id == charge.id
    assert intent_of(done).settles_at is None


def test_cancel_voids_an_authorization() -> None:
    """An authorization given up is a void of its whole amount; else nothing moves."""
    void = payment_intents.cancel(intent_of(create(capture_method="manual")), "abandoned", NOW)
    nothing = payment_intents.cancel(intent_of(create(confirm=False)), None, NOW)

    assert (void.kind, void.amount, intent_of(void).amount_capturable) == ("void", 1_000, 0)
    assert (nothing.kind, nothing.amount) == ("canceled", 0)
    assert intent_of(void).cancellation_reason == "abandoned"


def test_confirmation_needs_a_method() -> None:
    """An intent without a payment method cannot be confirmed."""
    with pytest.raises(StripeError, match="missing a payment method"):
        payment_intents.confirm(
            intent_of(create(None, confirm=False)), ConfirmRequest(), new_id, NOW
        )


ALLOWED = {
    "confirm": {"requires_payment_method", "requires_confirmation", "requires_action"},
    "capture": {"requires_capture"},
    "cancel": {
        "requires_payment_method", "requires_confirmation", "requires_action", "requires_capture",
    },
}  # fmt: skip


@pytest.mark.parametrize("status", get_args(IntentStatus))
@pytest.mark.parametrize("call", sorted(ALLOWED))
def test_each_call_in_each_status(call: str, status: IntentStatus) -> None:
    """A call changes an intent where its status allows, and else is refused and kept."""
    made = create(capture_method="manual")
    intent = replace(intent_of(made), status=status)

    def run() -> Change:
        if call == "confirm":
            return payment_intents.confirm(intent, ConfirmRequest(), new_id, NOW)
        if call == "capture":
            return payment_intents.capture(intent, made.charge, CaptureRequest(None, {}))
        return payment_intents.cancel(intent, None, NOW)

    if status in ALLOWED[call]:
        assert intent_of(run()).status != status
        return
    with pytest.raises(StripeError) as refused:
        run()
    assert refused.value.error["code"] == "payment_intent_unexpected_state"
    assert refused.value.executed
    assert refused.value.intent is intent
