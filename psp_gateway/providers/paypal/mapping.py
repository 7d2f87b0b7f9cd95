"""What PayPal's orders and payments say of the money: pure, and total over whatever may come.

To us a charge, a hold and what is captured of it go by the order's id, since an order leads to all
that has come of it. A refund goes by its own.
"""

from chassis.money import InvalidAmount, Money, total
from psp_gateway.domain.answer import Absent, Answer, Created, Verdict, alarm, unusable
from psp_gateway.domain.attempt import Attempt, Delivery, Kind, Outcome
from psp_gateway.domain.reasons import Reason
from psp_gateway.providers.paypal import processor, units
from psp_gateway.providers.paypal.client import Response, Result
from psp_gateway.providers.paypal.failures import failure, is_not_found
from psp_gateway.providers.paypal.objects import Order, Payment, read_order, read_payment
from psp_gateway.providers.paypal.units import is_same

# What was taken stays a success of the charge's, whatever was given back of it.
_TAKEN = frozenset({"COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"})
_MOVED = _TAKEN | {"CREATED"}  # taken, or held
_NO = frozenset({"DECLINED", "FAILED", "DENIED"})
_OPEN = frozenset({"CREATED", "SAVED"})


def read_created(result: Result, attempt: Attempt) -> Answer:
    """Read an order that has just been made, or was made under the same key before."""
    order = order_of(result)
    if order is None:
        return failure(result)
    if not _is_asked(order, attempt):
        return alarm(trace_of(result), Reason.AMOUNT_MISMATCH, reference=order.id)
    return Created(order.id, trace_of(result))


def read_charge(result: Result, attempt: Attempt) -> Answer:
    """Read an order after its capture or authorization, or when it is looked up."""
    order = order_of(result)
    if order is not None:
        return charge_answer(order, attempt, trace_of(result))
    return failure(result)


def look_at_charge(result: Result, attempt: Attempt) -> Answer:
    """Read an order that is looked up; Absent when PayPal does not know it."""
    return Absent(trace_of(result)) if is_not_found(result) else read_charge(result, attempt)


def look_at_approval(result: Result, attempt: Attempt) -> Answer:
    """Read an order that its buyer is to approve: Created once he has, declined when it is gone.

    PayPal drops an order that is not approved in time.
    """
    if is_not_found(result):
        return Verdict(
            Outcome.DECLINED,
            reason=Reason.PSP_CANCELLED,
            psp_code="RESOURCE_NOT_FOUND",
            trace=trace_of(result),
        )
    order = order_of(result)
    answer = read_charge(result, attempt)
    if order is not None and isinstance(answer, Created) and order.status in _OPEN:
        return _needs_buyer(order, answer.trace)
    return answer


def read_hold(result: Result, attempt: Attempt) -> Answer:
    """Read an order whose authorization is to be captured or voided; Absent when it holds still."""
    order = order_of(result)
    return hold_answer(order, attempt, trace_of(result)) if order else failure(result)


def read_capture(result: Result, attempt: Attempt) -> Answer:
    """Read the answer to a capture of what was held."""
    payment = _payment_of(result)
    if payment is None:
        return failure(result)
    if payment.invoice_id != attempt.attempt_id:
        return _strange(payment.invoice_id, trace_of(result))
    return _taken(payment, attempt, trace_of(result))


def read_refund(result: Result, attempt: Attempt) -> Answer:
    """Read the answer to a refund."""
    payment = _payment_of(result)
    if payment is None:
        return failure(result)
    ours = payment.custom_id or payment.invoice_id
    if ours != attempt.attempt_id:
        return _strange(ours, trace_of(result))
    return _given_back(payment, attempt, trace_of(result))


def find_refund(result: Result, attempt: Attempt) -> Answer:
    """Find our refund among those of its order."""
    order = order_of(result)
    if order is None or order.id != attempt.charge_reference:
        return failure(result)
    for refund in order.refunds:
        if attempt.attempt_id in (refund.custom_id, refund.invoice_id):
            return _given_back(refund, attempt, trace_of(result))
    return Absent(trace_of(result))


def charge_answer(order: Order, attempt: Attempt, trace: str) -> Answer:
    """Tell what an order says of the money, if it is the one that was asked for."""
    if order.id != attempt.psp_reference:
        return unusable(trace)
    is_held = attempt.kind is Kind.AUTHORIZATION
    payments, others = order.authorizations, order.captures
    if not is_held:
        payments, others = others, payments
    if not _is_asked(order, attempt, is_whole=False):
        taken = _taken_instead(payments, order, attempt)
        return alarm(trace, Reason.AMOUNT_MISMATCH, reference=order.id, taken=taken)
    if others and not (is_held and payments):
        # Taken although it was to be held, or the reverse.
        return alarm(trace, Reason.NO_USABLE_ANSWER, reference=order.id)
    payment = _telling(payments)
    if payment is None:
        return _unpaid(order, trace)
    if len([each for each in payments if each.status not in _NO]) > 1:
        return alarm(trace, Reason.NO_USABLE_ANSWER, reference=order.id)
    if not _is_ours(payment, order, attempt) or not payment.is_of(attempt.amount):
        taken = _taken_instead(payments, order, attempt)
        return alarm(trace, Reason.AMOUNT_MISMATCH, reference=order.id, taken=taken)
    return _held(payment, order, trace) if is_held else _paid(payment, order.id, trace)


def hold_answer(order: Order, attempt: Attempt, trace: str) -> Answer:
    """Tell what became of what an order's authorization held: both ends are once by its state."""
    if order.id != attempt.charge_reference or not order.authorizations:
        return unusable(trace)
    if len(order.authorizations) > 1:
        return alarm(trace, Reason.NO_USABLE_ANSWER)
    (held,) = order.authorizations
    is_void = attempt.kind is Kind.VOID
    ours = [each for each in order.captures if each.invoice_id == attempt.attempt_id]
    if ours and not is_void:
        return _taken(_telling(tuple(ours)) or ours[0], attempt, trace)
    match held.status:
        case "CREATED":
            return Absent(trace)
        case "PARTIALLY_CAPTURED" if attempt.captured_before or attempt.is_one_of_several:
            return _partly(held, order, attempt, trace)
        case "CAPTURED" if is_void and attempt.captured_before:
            return _let_go(held, order, attempt, trace)
        case "PENDING":
            return Verdict(Outcome.PENDING, trace=trace)
        case "VOIDED" if is_void:
            return _let_go(held, order, attempt, trace)
        case "VOIDED":
            reason = Reason.AUTHORIZATION_EXPIRED if _is_late(held) else Reason.PSP_CANCELLED
            return Verdict(Outcome.DECLINED, reason=reason, trace=trace)
        case "DENIED":
            return _declined(held, "", trace)
        case "CAPTURED" | "PARTIALLY_CAPTURED" if is_void:
            return Verdict(Outcome.DECLINED, reason=Reason.ALREADY_CAPTURED, trace=trace)
        case "CAPTURED" | "PARTIALLY_CAPTURED" if order.captures:
            return alarm(trace, Reason.AMOUNT_MISMATCH)  # taken, and by somebody else
        case _:
            return unusable(trace)


def nothing_to_refund(trace: str) -> Verdict:
    """Tell that an order has no capture to give back, or several, and that nothing was sent."""
    reason = Reason.NO_USABLE_ANSWER
    return Verdict(
        Outcome.TRANSIENT, Delivery.NOT_SENT, reason=reason, about_request=True, trace=trace
    )


def order_of(result: Result) -> Order | None:
    """Read the order of a whole answer; None when there is none."""
    return read_order(result.body) if isinstance(result, Response) and _is_good(result) else None


def trace_of(result: Result) -> str:
    """Name an exchange: its status and PayPal's id of it; empty when there was no answer."""
    return result.trace if isinstance(result, Response) else ""


def _payment_of(result: Result) -> Payment | None:
    return read_payment(result.body) if isinstance(result, Response) and _is_good(result) else None


def _is_good(response: Response) -> bool:
    return response.status in (200, 201)  # 200 when a request is repeated under its key


def _is_asked(order: Order, attempt: Attempt, *, is_whole: bool = True) -> bool:
    """Whether an order is of our attempt and amount; what is left out may be, unless it is to be
    whole.
    """
    intent = "AUTHORIZE" if attempt.kind is Kind.AUTHORIZATION else "CAPTURE"
    pairs = ((order.custom_id, attempt.attempt_id), (order.intent, intent))
    is_amount = is_same(order.amount, attempt.amount) or (not is_whole and order.amount is None)
    return is_amount and all(said == asked or (not is_whole and not said) for said, asked in pairs)


def _is_ours(payment: Payment, order: Order, attempt: Attempt) -> bool:
    """Whether our id is on the payment or its order, and no other is."""
    return {payment.custom_id, order.custom_id} - {""} == {attempt.attempt_id}


def _taken_instead(payments: tuple[Payment, ...], order: Order, attempt: Attempt) -> Money | None:
    """Tell what was taken or is held for our attempt, whatever was asked for; None where that is
    not plain.
    """
    live = [each for each in payments if each.status not in _NO]
    if len(live) != 1 or not _is_ours(live[0], order, attempt):
        return None
    (payment,) = live
    return _money_of(payment) if payment.status in _MOVED else None


def _money_of(payment: Payment) -> Money | None:
    try:
        return units.from_wire(payment.amount)
    except units.Inexpressible:
        return None


def _telling(payments: tuple[Payment, ...]) -> Payment | None:
    """Choose the payment that counts: one that was declined only when there is no other."""
    return min(payments, key=lambda each: each.status in _NO, default=None)


def _unpaid(order: Order, trace: str) -> Answer:
    match order.status:
        case "CREATED" | "SAVED" | "APPROVED":
            return Created(order.id, trace)
        case "PAYER_ACTION_REQUIRED":
            return _needs_buyer(order, trace)
        case "VOIDED":
            return Verdict(
                Outcome.DECLINED, reference=order.id, reason=Reason.PSP_CANCELLED, trace=trace
            )
        case _:
            return unusable(trace)


def _needs_buyer(order: Order, trace: str) -> Verdict:
    return Verdict(
        Outcome.ACTION_REQUIRED, reference=order.id, redirect_url=order.page, trace=trace
    )


def _paid(capture: Payment, reference: str, trace: str) -> Verdict:
    """Tell what a capture of the right amount says."""
    if capture.status in _TAKEN:
        return Verdict(Outcome.SUCCEEDED, reference=reference, trace=trace)
    if capture.status == "PENDING":
        return Verdict(Outcome.PENDING, reference=reference, psp_code=capture.code, trace=trace)
    if capture.status in _NO:
        return _declined(capture, reference, trace)
    return unusable(trace)


def _held(held: Payment, order: Order, trace: str) -> Verdict:
    match held.status:
        case "CREATED":
            return Verdict(
                Outcome.SUCCEEDED, reference=order.id, trace=trace, expires_at=held.expires_at
            )
        case "PENDING":
            return Verdict(Outcome.PENDING, reference=order.id, psp_code=held.code, trace=trace)
        case "VOIDED":
            return Verdict(
                Outcome.DECLINED, reference=order.id, reason=Reason.PSP_CANCELLED, trace=trace
            )
        case "DENIED":
            return _declined(held, order.id, trace)
        case "CAPTURED" | "PARTIALLY_CAPTURED":
            return alarm(trace, Reason.NO_USABLE_ANSWER, reference=order.id)
        case _:
            return unusable(trace)


def _taken(capture: Payment, attempt: Attempt, trace: str) -> Verdict:
    """Tell what our capture of held money says."""
    if not capture.is_of(attempt.amount):
        taken = _money_of(capture) if capture.status in _MOVED else None
        return alarm(trace, Reason.AMOUNT_MISMATCH, taken=taken)
    return _paid(capture, attempt.charge_reference, trace)


def _partly(held: Payment, order: Order, attempt: Attempt, trace: str) -> Answer:
    """Tell that ours is not among the captures, and that there is enough left for it."""
    taken, whole = _sum_of(order, attempt), units.amount_of(held.amount, attempt.amount.currency)
    if taken is None or whole is None or taken.amount + attempt.amount.amount > whole.amount:
        return alarm(trace, Reason.AMOUNT_MISMATCH)  # taken, and by somebody else
    return Absent(trace)


def _sum_of(order: Order, attempt: Attempt) -> Money | None:
    """Sum an order's captures, but for those that failed; None when one cannot be read."""
    currency = attempt.amount.currency
    counted = [each for each in order.captures if each.status not in _NO]
    amounts = [units.amount_of(each.amount, currency) for each in counted]
    read = [amount for amount in amounts if amount is not None]
    try:
        return total(read, currency) if len(read) == len(amounts) else None
    except InvalidAmount:
        return None


def _let_go(held: Payment, order: Order, attempt: Attempt, trace: str) -> Verdict:
    """Tell that a void has succeeded: it is of all that was held, but for what was captured."""
    ours = {held.custom_id, order.custom_id} - {""}
    before = attempt.before
    is_all = held.is_of(attempt.amount + before) and _sum_of(order, attempt) == before
    if not is_all or ours != {attempt.charge_attempt_id}:
        return alarm(trace, Reason.AMOUNT_MISMATCH)
    return Verdict(Outcome.SUCCEEDED, reference=order.id, trace=trace)


def _given_back(refund: Payment, attempt: Attempt, trace: str) -> Verdict:
    """Tell what our refund says."""
    if not refund.is_of(attempt.amount):
        return alarm(trace, Reason.AMOUNT_MISMATCH, reference=refund.id)
    match refund.status:
        case "COMPLETED":
            return Verdict(Outcome.SUCCEEDED, reference=refund.id, trace=trace)
        case "PENDING":
            return Verdict(Outcome.PENDING, reference=refund.id, psp_code=refund.code, trace=trace)
        case "FAILED" | "CANCELLED" as status:
            return Verdict(
                Outcome.DECLINED,
                reference=refund.id,
                reason=Reason.PSP_CANCELLED if status == "CANCELLED" else Reason.PROCESSING_ERROR,
                psp_code=refund.code,
                trace=trace,
            )
        case _:
            return unusable(trace)


def _declined(payment: Payment, reference: str, trace: str) -> Verdict:
    """Tell why a payment was declined; a FAILED one was an error of PayPal's own."""
    reason = processor.decline_reason(payment.code, payment.advice)
    if payment.status == "FAILED" and payment.code not in processor.RESPONSES:
        reason = Reason.PROCESSING_ERROR
    return Verdict(
        Outcome.DECLINED, reference=reference, reason=reason, psp_code=payment.code, trace=trace
    )


def _strange(ours: str, trace: str) -> Verdict:
    """Tell of an answer that is about something else, or does not say what it is about."""
    return alarm(trace, Reason.AMOUNT_MISMATCH) if ours else unusable(trace)


def _is_late(held: Payment) -> bool:
    """Whether PayPal let go because the time was over."""
    ended, changed = held.expires_at, held.updated_at
    return ended is not None and changed is not None and changed >= ended
