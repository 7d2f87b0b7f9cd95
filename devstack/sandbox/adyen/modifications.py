"""Captures, cancels, refunds and reversals: taken in at once, carried out a little later. Pure.

A webhook tells what came of each (docs.adyen.com/online-payments/modifications).
"""

from dataclasses import replace

from devstack.sandbox.adyen import given as read
from devstack.sandbox.adyen.notifications import of_modification
from devstack.sandbox.adyen.things import Modification, NewId, Payment
from devstack.sandbox.adyen.tokens import (
    CAPTURE_FAILS,
    CAPTURE_REFUSED,
    REFUND_FAILS,
    REFUND_REFUSED,
)
from devstack.sandbox.jsonwire.messages import Answer, Change, Json

SETTLES_S = 1.0
_UNDONE_S = 3 * 86_400.0
_WITH_AMOUNT = ("capture", "refund")
_CODES = {
    "capture": "CAPTURE",
    "cancel": "CANCELLATION",
    "refund": "REFUND",
    "reversal": "CANCEL_OR_REFUND",
    "technical_cancel": "TECHNICAL_CANCEL",
}


def take_in(action: str, given: Json, payment: Payment | None, new_id: NewId, now: float) -> Change:
    """Take a modification in.

    Args:
        action: capture, cancel, refund, reversal or technical_cancel.
        given: the request.
        payment: what it is about; None only for a technical cancel.
        new_id: makes pspReferences.
        now: Unix seconds of the sandbox's clock.

    Raises:
        Refused: it does not validate.
    """
    account, name = read.account_of(given), read.text_of(given, "reference")
    amount, currency = (payment.authorised, payment.currency) if payment else (0, "")
    if action in _WITH_AMOUNT:
        asked = read.amount_of(given)
        amount, currency = asked.value, asked.currency
    taken_in = Modification(
        id=new_id(),
        name=name,
        payment=payment.id if payment else "",
        action=action,
        account=account,
        amount=amount,
        currency=currency,
        metadata={**(payment.metadata if payment else {}), **read.metadata_of({}, name)},
        settles_at=now + SETTLES_S,
    )
    return Change(
        "received",
        taken_in.id,
        taken_in.payment,
        metadata=taken_in.metadata,
        answer=_answer_of(taken_in, given),
        things=(taken_in,),
    )


def settle(
    modification: Modification, payment: Payment | None, now: float, *, over_refund: bool
) -> Change:
    """Carry a modification out or refuse it; undo one that was carried out and fails later."""
    if payment is None:
        return _told(modification, "", now, "Transaction not found")
    if modification.state == "done":
        return _undo(modification, payment, now)
    if modification.action == "capture":
        return _capture(modification, payment, now)
    if modification.action == "refund":
        return _refund(modification, payment, now, over_refund=over_refund)
    if modification.action == "reversal" and payment.captured > 0:
        rest = replace(modification, amount=payment.captured - payment.refunded)
        return _refund(rest, payment, now, over_refund=False)
    return _cancel(modification, payment, now)


def _capture(modification: Modification, payment: Payment, now: float) -> Change:
    left = payment.authorised - payment.captured
    is_open = payment.state == "authorised" and payment.token != CAPTURE_REFUSED
    if not is_open or modification.currency != payment.currency or modification.amount > left:
        return _told(modification, payment.name, now, "Insufficient balance on payment")
    captured = replace(payment, captured=payment.captured + modification.amount)
    fails = payment.token == CAPTURE_FAILS
    return _done("capture", modification, captured, now, undone=fails)


def _refund(
    modification: Modification, payment: Payment, now: float, *, over_refund: bool
) -> Change:
    left = payment.captured - payment.refunded
    fits = 0 < modification.amount <= left or (over_refund and payment.captured > 0)
    is_open = payment.token != REFUND_REFUSED and modification.currency == payment.currency
    if not is_open or not fits:
        return _told(modification, payment.name, now, "Insufficient balance on payment")
    refunded = replace(payment, refunded=payment.refunded + modification.amount)
    return _done("refund", modification, refunded, now, undone=payment.token == REFUND_FAILS)


def _cancel(modification: Modification, payment: Payment, now: float) -> Change:
    left = payment.authorised - payment.captured
    if payment.state != "authorised" or left <= 0 or (payment.captured and not payment.is_manual):
        return _told(modification, payment.name, now, "Transaction cannot be cancelled")
    voided = replace(payment, state="voided", settles_at=None)
    return _done("void", replace(modification, amount=left), voided, now)


def _undo(modification: Modification, payment: Payment, now: float) -> Change:
    """Take back what the bank or the scheme did not carry out after all."""
    failed = replace(modification, state="failed", settles_at=None)
    if modification.action == "capture":
        before = replace(payment, captured=payment.captured - modification.amount)
        kind, code, reason = "capture_failed", "CAPTURE_FAILED", "Capture Failed"
    else:
        before = replace(payment, refunded=payment.refunded - modification.amount)
        kind, code, reason = "refund_failed", "REFUND_FAILED", "Refund Failed"
    body = of_modification(code, failed, payment.name, now, success=True, reason=reason)
    return _change(kind, failed, before, failed.amount, (code, body))


def _done(
    kind: str, modification: Modification, payment: Payment, now: float, *, undone: bool = False
) -> Change:
    done = replace(modification, state="done", settles_at=now + _UNDONE_S if undone else None)
    code = _CODES[modification.action]
    action = "refund" if kind == "refund" else "cancel"
    extra = {"modification.action": action} if modification.action == "reversal" else None
    body = of_modification(code, done, payment.name, now, success=True, extra=extra)
    return _change(kind, done, payment, done.amount, (code, body))


def _told(modification: Modification, payment_name: str, now: float, reason: str) -> Change:
    refused = replace(modification, state="refused", settles_at=None)
    code = _CODES[modification.action]
    body = of_modification(code, refused, payment_name, now, success=False, reason=reason)
    return _change("refused", refused, None, 0, (code, body))


def _change(
    kind: str,
    modification: Modification,
    payment: Payment | None,
    amount: int,
    event: tuple[str, Json],
) -> Change:
    return Change(
        kind=kind,
        reference=modification.id,
        payment_reference=modification.payment,
        amount=amount,
        currency=modification.currency,
        metadata=modification.metadata,
        things=(modification,) if payment is None else (modification, payment),
        events=(event,),
    )


def _answer_of(modification: Modification, given: Json) -> Answer:
    body: Json = {
        "merchantAccount": modification.account,
        "pspReference": modification.id,
        "status": "received",
    }
    if modification.name:
        body["reference"] = modification.name
    if modification.action == "technical_cancel":
        body["paymentReference"] = given["paymentReference"]
    else:
        body["paymentPspReference"] = modification.payment
    if modification.action in _WITH_AMOUNT:
        body["amount"] = {"currency": modification.currency, "value": modification.amount}
    return Answer(201, body)
