"""What Stripe's answers mean: pure tables and functions, total over whatever may come.

A rule stands above the tables: only what Stripe documents as not executed counts as no. Everything
else that came back after sending is unknown.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from psp_gateway.domain.answer import (
    Absent,
    Answer,
    Created,
    Verdict,
    alarm,
    no_answer,
    not_sent,
    unusable,
)
from psp_gateway.domain.attempt import Attempt, Kind, Method, Outcome
from psp_gateway.domain.reasons import Reason
from psp_gateway.http_client import NoAnswer, NotSent
from psp_gateway.providers.stripe.client import Response, Result
from psp_gateway.providers.stripe.codes import BLOCKED_DEBIT, DECLINES, decline_reason
from psp_gateway.providers.stripe.taken import taken_of
from psp_gateway.providers.stripe.units import to_minor

# docs.stripe.com/payments/place-a-hold-on-a-payment-method: seven days for most cards, not present.
# Counted from our own attempt, which is earlier than Stripe's object, when Stripe does not say.
HELD_FOR = timedelta(days=7)

_CARDS = frozenset({Method.CARD, Method.WALLET})
_METHOD_PARAMETERS = frozenset({"payment_method", "payment_method_data"})
_REFUSED = frozenset({400, 403, 404})
# Said of the object and not of the request: what was asked may have been done by an earlier one.
_OF_STATE = frozenset(
    {"payment_intent_unexpected_state", "intent_invalid_state", "charge_already_captured"}
)
# The issuer has let go, which the PaymentIntent's own state may show only later.
_EXPIRED = frozenset({"charge_expired_for_capture", "capture_charge_authorization_expired"})
# Several captures were not asked for, or the card has not got them.
_ONCE = frozenset({"final_capture"})
# Why Stripe itself cancels; the other reasons are a merchant's.
_CANCELLED_BY_TIME = frozenset({"automatic", "expired"})
_LATEST = datetime.max.replace(tzinfo=UTC).timestamp()


def read_created(result: Result, attempt: Attempt) -> Answer:
    """Read the answer to a create: the object, or why there is none."""
    body = _succeeded(result)
    if body is None:
        return read_failure(result)
    return _found(body, attempt, _trace(result))


def read_charge(result: Result, attempt: Attempt) -> Answer:
    """Read a PaymentIntent after its confirm, or when it is looked up."""
    body = _succeeded(result)
    if body is None:
        return read_failure(result)
    return intent_answer(body, attempt, _trace(result))


def read_hold(result: Result, attempt: Attempt) -> Answer:
    """Read a PaymentIntent that holds money after its capture or cancel, or when looked up."""
    body = _succeeded(result)
    if body is None:
        return read_failure(result)
    return hold_answer(body, attempt, _trace(result))


def read_refund(result: Result, attempt: Attempt) -> Answer:
    """Read the answer to a refund."""
    body = _succeeded(result)
    if body is None:
        return read_failure(result)
    return refund_answer(body, attempt, _trace(result))


def intent_answer(intent: Mapping[str, Any], attempt: Attempt, trace: str) -> Answer:
    """Tell what a PaymentIntent says of the money, if it is the one that was asked for."""
    reference = _text(intent, "id")
    if intent.get("object") != "payment_intent" or reference != attempt.psp_reference:
        return unusable(trace)
    if not _agrees(intent, attempt):
        return _mismatch(intent, trace, reference)
    is_held = attempt.kind is Kind.AUTHORIZATION
    match intent.get("status"):
        case "succeeded" if not is_held:
            return _charged(intent, attempt, trace)
        case "requires_capture" if is_held:
            return _held(intent, attempt, trace)
        case "succeeded" | "requires_capture":
            # Taken although it was to be held, or the reverse.
            return alarm(trace, Reason.NO_USABLE_ANSWER, reference=reference)
        case "processing":
            return Verdict(Outcome.PENDING, reference=reference, trace=trace)
        case "requires_confirmation":
            return Created(reference, trace)
        case "requires_action":
            return Verdict(
                Outcome.ACTION_REQUIRED,
                reference=reference,
                redirect_url=_redirect_url(intent),
                trace=trace,
            )
        case "canceled":
            return Verdict(
                Outcome.DECLINED, reference=reference, reason=Reason.PSP_CANCELLED, trace=trace
            )
        case "requires_payment_method" if isinstance(intent.get("last_payment_error"), dict):
            return _declined(intent["last_payment_error"], reference, trace)
        case _:
            return unusable(trace)


def several(attempt: Attempt) -> dict[str, Any]:
    """Ask that what a card holds may be captured several times, where its network has it; the same
    words for a PaymentIntent and for a Checkout Session: docs.stripe.com/payments/multicapture.
    """
    if attempt.kind is not Kind.AUTHORIZATION or attempt.method not in _CARDS:
        return {}
    return {"payment_method_options": {"card": {"request_multicapture": "if_available"}}}


def capture_name(attempt: Attempt) -> str:
    """Name one of several captures in the PaymentIntent's metadata: at most 40 characters."""
    return f"capture_{hashlib.blake2b(attempt.attempt_id.encode(), digest_size=12).hexdigest()}"


def hold_answer(intent: Mapping[str, Any], attempt: Attempt, trace: str) -> Answer:
    """Tell what became of what a PaymentIntent held.

    One capture and a void are once by its state. Which of several captures it has taken is in its
    metadata, written by the request that took it.
    """
    reference = _text(intent, "id")
    if intent.get("object") != "payment_intent" or reference != attempt.charge_reference:
        return unusable(trace)
    is_void = attempt.kind is Kind.VOID
    if attempt.is_one_of_several and not is_void:
        taken = _one_of_several(intent, attempt, trace)
        if taken is not None:
            return taken
    match intent.get("status"):
        case "requires_capture":
            return Absent(trace)
        case "processing":
            return Verdict(Outcome.PENDING, trace=trace)
        case "canceled" if not is_void:
            is_late = _text(intent, "cancellation_reason") in _CANCELLED_BY_TIME
            reason = Reason.AUTHORIZATION_EXPIRED if is_late else Reason.PSP_CANCELLED
            return Verdict(Outcome.DECLINED, reason=reason, trace=trace)
        case "succeeded" if is_void and not attempt.captured_before:
            return Verdict(Outcome.DECLINED, reason=Reason.ALREADY_CAPTURED, trace=trace)
        case "succeeded" if attempt.is_one_of_several and not is_void:
            # Another one was the last, and this one is not among those that were taken.
            return Verdict(Outcome.DECLINED, reason=Reason.ALREADY_CAPTURED, trace=trace)
        case "canceled" | "succeeded":
            is_all = _is_let_go(intent, attempt) if is_void else _agrees_received(intent, attempt)
            if not is_all:
                return alarm(trace, Reason.AMOUNT_MISMATCH) if is_void else _mismatch(intent, trace)
            return Verdict(Outcome.SUCCEEDED, reference=reference, trace=trace)
        case _:
            return unusable(trace)


def _one_of_several(intent: Mapping[str, Any], attempt: Attempt, trace: str) -> Answer | None:
    """Tell that one of several captures was taken; None when nothing is written of it."""
    metadata = intent.get("metadata")
    written = metadata.get(capture_name(attempt)) if isinstance(metadata, dict) else None
    if written is None:
        return None
    received = intent.get("amount_received")
    minor = to_minor(attempt.amount)
    is_said = written == str(minor) and intent.get("currency") == attempt.amount.currency.lower()
    if not is_said or type(received) is not int or received < minor:
        return alarm(trace, Reason.AMOUNT_MISMATCH)
    return Verdict(Outcome.SUCCEEDED, reference=attempt.charge_reference, trace=trace)


def _is_let_go(intent: Mapping[str, Any], attempt: Attempt) -> bool:
    """Whether all was let go of but what the captures before had taken. A card may have held less
    than its object is of; all of that is let go of too.
    """
    if not attempt.captured_before:
        amount, currency = intent.get("amount"), intent.get("currency")
        is_whole = type(amount) is int and amount >= to_minor(attempt.amount)
        return is_whole and currency == attempt.amount.currency.lower()
    is_whole = _agrees(intent, replace(attempt, amount=attempt.amount + attempt.before))
    received = intent.get("amount_received")
    return is_whole and type(received) is int and received == to_minor(attempt.before)


def _agrees_received(intent: Mapping[str, Any], attempt: Attempt) -> bool:
    return _agrees(intent, attempt, "amount_received")


def refund_answer(refund: Mapping[str, Any], attempt: Attempt, trace: str) -> Answer:
    """Tell what a Refund says of the money, if it is the one that was asked for."""
    reference = _text(refund, "id")
    is_ours = refund.get("payment_intent") == attempt.charge_reference
    if refund.get("object") != "refund" or not reference or not is_ours:
        return unusable(trace)
    if not _agrees(refund, attempt):
        return alarm(trace, Reason.AMOUNT_MISMATCH, reference=reference)
    match refund.get("status"):
        case "succeeded":
            return Verdict(Outcome.SUCCEEDED, reference=reference, trace=trace)
        case "pending" | "requires_action":
            return Verdict(Outcome.PENDING, reference=reference, trace=trace)
        case "failed" | "canceled" as status:
            return Verdict(
                Outcome.DECLINED,
                reference=reference,
                reason=Reason.PSP_CANCELLED if status == "canceled" else Reason.PROCESSING_ERROR,
                psp_code=_text(refund, "failure_reason"),
                trace=trace,
            )
        case _:
            return unusable(trace)


def find(objects: list[Any], attempt: Attempt, trace: str, *, is_refund: bool) -> Answer:
    """Find our attempt's object among listed ones, by the id in its metadata."""
    for listed in objects:
        metadata = listed.get("metadata") if isinstance(listed, dict) else None
        if isinstance(metadata, dict) and metadata.get("attempt_id") == attempt.attempt_id:
            if is_refund:
                return refund_answer(listed, attempt, trace)
            return _found(listed, attempt, trace)
    return Absent(trace)


def read_failure(result: Result) -> Verdict:
    """Tell what a request without the wanted answer says, knowing only that it was sent or not."""
    match result:
        case NotSent():
            return not_sent()
        case NoAnswer():
            return no_answer()
        case Response():
            return _error(result)


def _error(response: Response) -> Verdict:
    error = (response.body or {}).get("error")
    if not isinstance(error, dict):
        error = {}
    kind, code = _text(error, "type"), _text(error, "code")
    trace, status = response.trace, response.status
    if kind == "idempotency_error":
        return alarm(trace, Reason.NO_USABLE_ANSWER, psp_code=kind)
    if status == 429:
        limited = _nothing_happened(Reason.PSP_RATE_LIMITED, code, trace)
        return replace(limited, retry_after=response.retry_after)
    if status == 402 and (kind == "card_error" or code in BLOCKED_DEBIT):
        intent = error.get("payment_intent")
        reference = _text(intent, "id") if isinstance(intent, dict) else ""
        return _declined(error, reference, trace)
    if status == 401 and kind:
        return _nothing_happened(Reason.PSP_REQUEST_INVALID, code or kind, trace)
    # A 409 says that another request with the key is under way, so something may well happen.
    if response.should_retry and status in _REFUSED:
        return _nothing_happened(Reason.PSP_RATE_LIMITED, code, trace)
    if status in _REFUSED and kind and code not in _OF_STATE:
        return Verdict(
            Outcome.DECLINED,
            reason=_refusal_reason(error, code),
            psp_code=code or kind,
            about_request=True,
            trace=trace,
        )
    return unusable(trace, is_replay=response.is_replay, psp_code=code or kind)


def _refusal_reason(error: Mapping[str, Any], code: str) -> Reason:
    if code in _EXPIRED:
        return Reason.AUTHORIZATION_EXPIRED
    if error.get("param") in _ONCE:
        return Reason.CAPTURED_ONCE
    is_method = error.get("param") in _METHOD_PARAMETERS
    return Reason.PAYMENT_METHOD_INVALID if is_method else Reason.PSP_REQUEST_INVALID


def _nothing_happened(reason: Reason, code: str, trace: str) -> Verdict:
    return Verdict(Outcome.TRANSIENT, reason=reason, psp_code=code, about_request=True, trace=trace)


def _declined(error: Mapping[str, Any], reference: str, trace: str) -> Verdict:
    code = _text(error, "decline_code") or _text(error, "code")
    # `code` can be the plainer of the two: "incorrect_cvc" beside a generic decline code.
    reason = DECLINES.get(code) or decline_reason(_text(error, "code"))
    return Verdict(Outcome.DECLINED, reference=reference, reason=reason, psp_code=code, trace=trace)


def _charged(intent: Mapping[str, Any], attempt: Attempt, trace: str) -> Verdict:
    reference = _text(intent, "id")
    # Third-party stand-ins leave `amount_received` out; Stripe never does.
    if intent.get("amount_received", intent["amount"]) != intent["amount"]:
        return _mismatch(intent, trace, reference)
    return Verdict(Outcome.SUCCEEDED, reference=reference, trace=trace)


def _held(intent: Mapping[str, Any], attempt: Attempt, trace: str) -> Verdict:
    reference = _text(intent, "id")
    if intent.get("amount_capturable", intent["amount"]) != intent["amount"]:
        return _mismatch(intent, trace, reference)
    return Verdict(
        Outcome.SUCCEEDED,
        reference=reference,
        trace=trace,
        expires_at=_capture_before(intent) or attempt.created_at + HELD_FOR,
    )


def _capture_before(intent: Mapping[str, Any]) -> datetime | None:
    """Read until when the card's network holds the money, of a charge that is sent along."""
    found: Any = intent
    for name in ("latest_charge", "payment_method_details", "card", "capture_before"):
        found = found.get(name) if isinstance(found, dict) else None
    is_moment = type(found) is int and 0 < found < _LATEST
    return datetime.fromtimestamp(found, UTC) if is_moment else None


def _found(intent: Mapping[str, Any], attempt: Attempt, trace: str) -> Answer:
    reference = _text(intent, "id")
    if intent.get("object") != "payment_intent" or not reference:
        return unusable(trace)
    if not _agrees(intent, attempt):
        return _mismatch(intent, trace)
    return Created(reference, trace)


def _mismatch(intent: Mapping[str, Any], trace: str, reference: str = "") -> Verdict:
    """Tell that it is of another amount, and what it has taken or holds."""
    taken = taken_of(intent)
    return alarm(trace, Reason.AMOUNT_MISMATCH, reference=reference, taken=taken)


def _agrees(found: Mapping[str, Any], attempt: Attempt, name: str = "amount") -> bool:
    amount, currency = found.get(name), found.get("currency")
    is_same = type(amount) is int and amount == to_minor(attempt.amount)
    return is_same and currency == attempt.amount.currency.lower()


def _redirect_url(intent: Mapping[str, Any]) -> str:
    action = intent.get("next_action")
    redirect = action.get("redirect_to_url") if isinstance(action, dict) else None
    url = _text(redirect, "url", longest=2048) if isinstance(redirect, dict) else ""
    return url if url.startswith(("https://", "http://")) else ""


def _succeeded(result: Result) -> Mapping[str, Any] | None:
    is_whole = isinstance(result, Response) and result.status == 200
    return result.body if isinstance(result, Response) and is_whole else None


def _trace(result: Result) -> str:
    return result.trace if isinstance(result, Response) else ""


def _text(found: Mapping[str, Any], name: str, *, longest: int = 255) -> str:
    """Read a text of the PSP's; anything else, or a text that is out of all bounds, reads empty."""
    value = found.get(name)
    is_usable = isinstance(value, str) and len(value) <= longest and value.isprintable()
    return value if isinstance(value, str) and is_usable else ""
