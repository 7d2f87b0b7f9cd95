"""Refunds of a charge, and what becomes of the slow ones. Pure."""

from dataclasses import replace

from devstack.sandbox.stripe.attempts import NewId
from devstack.sandbox.stripe.changes import Change, of_refund
from devstack.sandbox.stripe.errors import StripeError
from devstack.sandbox.stripe.objects import Charge, Intent, Refund, RefundStatus
from devstack.sandbox.stripe.requests import RefundRequest
from devstack.sandbox.stripe.tokens import behaviour_of

# A pending refund goes through in minutes; one that fails does so days after it "succeeded".
PENDING_S = 60.0
FAILING_S = 3 * 86_400.0


def refund(
    request: RefundRequest,
    intent: Intent,
    charge: Charge | None,
    new_id: NewId,
    now: float,
    *,
    over_refund: bool = False,
) -> Change:
    """Give money of a charge back, all that is left unless told otherwise.

    Raises:
        StripeError: there is no money to give back, or less than asked.
    """
    if charge is None or not (charge.captured or charge.amount_captured):
        message = f"This PaymentIntent ({intent.id}) does not have a successful charge to refund."
        raise _refused(message, intent, code="payment_intent_unexpected_state")
    left = charge.amount_captured - charge.amount_refunded
    amount = left if request.amount is None else request.amount
    _check(charge, intent, amount, amount if over_refund else left)
    status, settles_at, settles_as = _course(charge, now)
    made = Refund(
        id=new_id("re_"),
        payment_intent=intent.id,
        charge=charge.id,
        amount=amount,
        currency=charge.currency,
        status=status,
        created=int(now),
        metadata=request.metadata,
        reason=request.reason,
        settles_at=settles_at,
        settles_as=settles_as,
    )
    reduced = replace(charge, amount_refunded=charge.amount_refunded + amount)
    return of_refund("refund", made, reduced)


def settle(refund: Refund, charge: Charge) -> Change:
    """Decide a refund that has fallen due; one that fails gives its amount back to the charge."""
    if refund.settles_as == "failed":
        failed = replace(
            refund, status="failed", settles_at=None, failure_reason="expired_or_canceled_card"
        )
        restored = replace(charge, amount_refunded=charge.amount_refunded - refund.amount)
        return of_refund("refund_failed", failed, restored)
    done = replace(refund, status="succeeded", settles_at=None)
    return replace(of_refund("refund_settled", done, charge), amount=0)


def _course(charge: Charge, now: float) -> tuple[RefundStatus, float | None, RefundStatus]:
    course = behaviour_of(charge.payment_method).refund
    if course == "pends":
        return "pending", now + PENDING_S, "succeeded"
    if course == "fails":
        return "succeeded", now + FAILING_S, "failed"
    return "succeeded", None, "succeeded"


def _check(charge: Charge, intent: Intent, amount: int, left: int) -> None:
    if left <= 0 or amount <= 0:
        message = f"Charge {charge.id} has already been refunded."
        raise _refused(message, intent, code="charge_already_refunded")
    if amount > left:
        raise _refused(
            f"Refund amount ({amount} {charge.currency}) is greater than unrefunded amount on "
            f"charge ({left} {charge.currency})",
            intent,
            param="amount",
        )


def _refused(
    message: str, intent: Intent, *, code: str | None = None, param: str | None = None
) -> StripeError:
    return StripeError(
        400,
        "invalid_request_error",
        message,
        code=code,
        param=param,
        executed=True,
        intent=intent,
    )
