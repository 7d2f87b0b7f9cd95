"""The payment's state machine: /payments and /payments/details. Pure."""

from dataclasses import replace

from devstack.sandbox.adyen import given as read
from devstack.sandbox.adyen.notifications import BRAND, of_payment
from devstack.sandbox.adyen.things import NewId, Payment
from devstack.sandbox.adyen.tokens import REFUSALS, Behaviour, behaviour_of
from devstack.sandbox.jsonwire.messages import Answer, Change, Json, Refused

_NOT_AUTHENTICATED = "11"
# docs.adyen.com/online-payments/adjust-authorisation: 28 days unless the scheme says otherwise.
_EXPIRES_S = 28 * 86_400.0
# The description's examples of 500; whether anything was done cannot be told from it.
IO_EXCEPTION = read.failure(500, "905", "Payment details are not supported", "configuration")


def pay(given: Json, new_id: NewId, now: float, challenge_url: str) -> Change:
    """Make a payment, and try to authorise it.

    Args:
        given: the request.
        new_id: makes pspReferences.
        now: Unix seconds of the sandbox's clock.
        challenge_url: where buyers authenticate; the pspReference is put after it.

    Raises:
        Refused: the request does not validate, or the acquirer cannot be reached.
    """
    amount, reference = read.amount_of(given), read.reference_of(given)
    payment = Payment(
        id=new_id(),
        name=reference,
        account=read.account_of(given),
        amount=amount.value,
        currency=amount.currency,
        token=read.token_of(given),
        is_manual=_is_manual(given),
        metadata=read.metadata_of(given, reference),
        return_url=read.text_of(given, "returnUrl"),
        secret=new_id(),
        capture_delay_s=_capture_delay(given),
    )
    behaviour = behaviour_of(payment.token)
    if behaviour.breaks:
        return _break(payment, behaviour, now)
    if behaviour.is_redirect:
        if not payment.return_url:
            raise read.invalid("14_030", "Return URL is missing.")
        return _waiting(replace(payment, state="redirect"), f"{challenge_url}{payment.id}")
    if behaviour.pending_s is not None:
        pending = replace(payment, state="pending", settles_at=now + behaviour.pending_s)
        return _waiting(pending)
    return decide(payment, behaviour, now)


def challenge(payment: Payment, *, passed: bool) -> Change:
    """End a buyer's challenge; nothing is charged before the shop sends the result in."""
    ended = replace(payment, state="passed" if passed else "failed")
    return Change("challenged", payment.id, payment.id, things=(ended,), metadata=payment.metadata)


def complete(payment: Payment, now: float) -> Change | Answer:
    """Go on with a payment whose buyer has come back; one that was decided stays so."""
    if payment.state == "passed":
        return decide(payment, behaviour_of(payment.token), now)
    if payment.state == "failed":
        return decide(payment, Behaviour(refusal_code=_NOT_AUTHENTICATED), now)
    return answer_of(payment)


def redirect_result(payment: Payment) -> str:
    """Make what the buyer's browser brings back to the shop."""
    return f"{payment.id}.{payment.secret}"


def settle(payment: Payment, now: float) -> Change:
    """Decide a pending payment, make a delayed capture of an authorised one, or let go of one that
    nobody captured in time.
    """
    due = replace(payment, settles_at=None)
    if payment.state == "pending":
        return decide(due, behaviour_of(payment.token), now)
    rest = payment.authorised - payment.captured
    is_over = payment.capture_delay_s == 0 and payment.captured > 0
    if payment.state != "authorised" or rest == 0 or is_over:
        return Change("settled", payment.id, payment.id, things=(due,), metadata=payment.metadata)
    if payment.capture_delay_s == 0:
        return _change("void", replace(due, state="voided"), rest)
    return _change("capture", replace(due, captured=payment.authorised), rest)


def decide(payment: Payment, behaviour: Behaviour, now: float) -> Change:
    """Authorise a payment or refuse it."""
    if behaviour.refusal_code:
        refused = replace(
            payment, state="refused", refusal_code=behaviour.refusal_code, settles_at=None
        )
        reason = REFUSALS[behaviour.refusal_code]
        event = of_payment(refused, now, success=False, reason=reason)
        return _change("decline", refused, payment.amount, event)
    authorised = payment.amount // 2 if behaviour.is_partial else payment.amount
    is_held = payment.is_manual or payment.capture_delay_s > 0
    decided = replace(
        payment,
        state="authorised",
        authorised=authorised,
        captured=0 if is_held else authorised,
        settles_at=now + (payment.capture_delay_s or _EXPIRES_S) if is_held else None,
    )
    event = of_payment(decided, now, success=True, reason="1234:1111:03/2030")
    return _change("authorization" if is_held else "charge", decided, authorised, event)


def answer_of(payment: Payment) -> Answer:
    """Make the answer of a payment as it stands."""
    code, refusal = _result_of(payment), payment.refusal_code
    body: Json = {
        "pspReference": payment.id,
        "resultCode": code,
        "merchantReference": payment.name,
        "amount": {"currency": payment.currency, "value": payment.authorised or payment.amount},
        "paymentMethod": {"brand": BRAND, "type": "scheme"},
        "additionalData": {"cardSummary": "1111", "paymentMethod": BRAND},
    }
    if refusal:
        body |= {"refusalReason": REFUSALS[refusal], "refusalReasonCode": refusal}
    return Answer(200, body)


def _result_of(payment: Payment) -> str:
    if payment.state == "refused":
        return "Error" if behaviour_of(payment.token).is_error else "Refused"
    if payment.state in ("redirect", "passed", "failed"):
        return "RedirectShopper"
    if payment.state == "pending":
        return "Pending"
    return "PartiallyAuthorised" if payment.authorised < payment.amount else "Authorised"


def _waiting(payment: Payment, url: str = "") -> Change:
    answer = answer_of(payment)
    body = dict(answer.body or {})
    if url:
        body["action"] = {
            "method": "GET",
            "paymentMethodType": "scheme",
            "type": "redirect",
            "url": url,
        }
    change = _change(payment.state, payment, 0)
    return replace(change, answer=Answer(200, body))


def _break(payment: Payment, behaviour: Behaviour, now: float) -> Change:
    if behaviour.breaks == "connection":
        failed = read.failure(500, "905", "No connection available", "internal")
        raise Refused(replace(failed, headers=read.TRANSIENT))
    if behaviour.is_charged:
        return replace(decide(payment, Behaviour(), now), answer=IO_EXCEPTION)
    return Change("error", metadata=payment.metadata, answer=IO_EXCEPTION)


def _change(kind: str, payment: Payment, amount: int, event: Json | None = None) -> Change:
    return Change(
        kind=kind,
        reference=payment.id,
        payment_reference=payment.id,
        amount=amount,
        currency=payment.currency,
        metadata=payment.metadata,
        answer=answer_of(payment),
        things=(payment,),
        events=(("AUTHORISATION", event),) if event is not None else (),
    )


def _is_manual(given: Json) -> bool:
    extra = given.get("additionalData")
    value = extra.get("manualCapture") if isinstance(extra, dict) else None
    return value is True or value == "true"


def _capture_delay(given: Json) -> float:
    hours = given.get("captureDelayHours", 0)
    if not isinstance(hours, int) or isinstance(hours, bool) or not 0 <= hours <= 672:
        raise read.invalid("702", "Invalid value for captureDelayHours")
    return hours * 3_600.0
