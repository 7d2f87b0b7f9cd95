"""Adyen's answers to the gateway's words; pure and total."""

from collections.abc import Mapping
from typing import Any

from chassis.money import Money
from psp_gateway.domain.answer import Answer, Verdict, alarm, no_answer, not_sent, unusable
from psp_gateway.domain.attempt import Attempt, Outcome
from psp_gateway.domain.reasons import Reason
from psp_gateway.http_client import NoAnswer, NotSent
from psp_gateway.providers.adyen import codes, units
from psp_gateway.providers.adyen.client import Response, Result
from psp_gateway.providers.adyen.codes import Meaning

_TEXT_MAX = 255
_URL_MAX = 8_000
_REFUSED = frozenset({400, 401, 403, 404, 422})


def read_charge(result: Result, attempt: Attempt) -> Answer:
    """Read the answer to /payments or /payments/details."""
    body = _succeeded(result)
    if body is None:
        return read_failure(result)
    trace = _trace(result)
    meaning = codes.RESULTS.get(text(body, "resultCode"))
    if meaning is None:
        return unusable(trace, psp_code=text(body, "resultCode"))
    if text(body, "merchantReference") not in ("", attempt.attempt_id):
        return alarm(trace, Reason.AMOUNT_MISMATCH, psp_code="merchantReference")
    reference = text(body, "pspReference")
    match meaning:
        case Meaning.AUTHORISED:
            return _authorised(body, attempt, reference, trace)
        case Meaning.REFUSED:
            return refused(text(body, "refusalReasonCode"), reference, trace)
        case Meaning.WAITS:
            return Verdict(Outcome.PENDING, reference=reference, trace=trace)
        case Meaning.NEEDS_BUYER:
            return _needs_buyer(body, reference, trace)
        case Meaning.PARTLY:
            code = text(body, "resultCode")
            taken = _amount(body)
            return alarm(
                trace, Reason.AMOUNT_MISMATCH, psp_code=code, reference=reference, taken=taken
            )


def read_modification(result: Result, attempt: Attempt, *, by_payment: bool) -> Answer:
    """Read the answer to a capture, cancel or refund: it is only received; a webhook tells more.

    Args:
        result: the answer.
        attempt: what was asked.
        by_payment: whether it is known by the payment's reference rather than its own: what is
            refunded later is the payment, whichever part of it was captured.
    """
    body = _succeeded(result)
    if body is None:
        return read_failure(result)
    trace = _trace(result)
    if text(body, "status") != "received":
        return unusable(trace, psp_code=text(body, "status"))
    if text(body, "reference") not in ("", attempt.attempt_id):
        return alarm(trace, Reason.AMOUNT_MISMATCH, psp_code="reference")
    amount = body.get("amount")
    if amount is not None and not _agrees(amount, attempt):
        return alarm(trace, Reason.AMOUNT_MISMATCH)
    name = "paymentPspReference" if by_payment else "pspReference"
    return Verdict(Outcome.PENDING, reference=text(body, name), trace=trace)


def read_failure(result: Result) -> Verdict:
    """Tell what a failure says of the request."""
    match result:
        case NotSent():
            return not_sent()
        case NoAnswer():
            return no_answer()
        case Response():
            return _failure(result)


def refused(code: str, reference: str, trace: str) -> Verdict:
    """Say that the charge was declined, by Adyen's refusal reason."""
    return Verdict(
        Outcome.DECLINED,
        reference=reference,
        reason=codes.REFUSALS.get(code, Reason.CARD_DECLINED),
        psp_code=code,
        may_go_elsewhere=code in codes.MAY_GO_ELSEWHERE,
        trace=trace,
    )


def text(content: object, name: str) -> str:
    """Read a text of Adyen's that may go into a row: printable ASCII, or empty."""
    value = content.get(name) if isinstance(content, Mapping) else None
    if not isinstance(value, str) or len(value) > _TEXT_MAX:
        return ""
    return value if value.isascii() and value.isprintable() else ""


def _failure(response: Response) -> Verdict:
    code, trace = text(response.body, "errorCode"), response.trace
    if code == codes.IN_PROGRESS:
        return unusable(trace, psp_code=code)
    if response.status == 429 or response.is_transient:
        # Adyen's word that nothing was kept under the key: it is as if it had never come.
        limited = response.status == 429
        reason = Reason.PSP_RATE_LIMITED if limited else Reason.PSP_UNREACHABLE
        return Verdict(
            Outcome.TRANSIENT,
            reason=reason,
            psp_code=code,
            about_request=True,
            trace=trace,
            retry_after=response.retry_after,
        )
    if response.status in _REFUSED and response.body is not None and code:
        return Verdict(
            Outcome.DECLINED,
            reason=Reason.PSP_REQUEST_INVALID,
            psp_code=code,
            about_request=True,
            trace=trace,
        )
    # An error of its own is the stored answer of the key, whether or not the acquirer was reached.
    return unusable(trace, is_replay=response.status == 500 and bool(code), psp_code=code)


def _authorised(body: Mapping[str, Any], attempt: Attempt, reference: str, trace: str) -> Verdict:
    amount = body.get("amount")
    if not reference or (amount is not None and not _agrees(amount, attempt)):
        return alarm(trace, Reason.AMOUNT_MISMATCH, reference=reference, taken=_amount(body))
    if text(body, "merchantReference") != attempt.attempt_id:
        return alarm(trace, Reason.AMOUNT_MISMATCH, psp_code="merchantReference")
    return Verdict(Outcome.SUCCEEDED, reference=reference, trace=trace)


def _needs_buyer(body: Mapping[str, Any], reference: str, trace: str) -> Verdict:
    """Tell where to send the buyer. Only a redirect by GET has a plain address; what wants a form,
    or Adyen's own component in the browser, is told without one.
    """
    action = body.get("action")
    url = action.get("url") if isinstance(action, Mapping) else None
    is_plain = isinstance(action, Mapping) and action.get("method", "GET") == "GET"
    usable = isinstance(url, str) and len(url) <= _URL_MAX and url.startswith(("https:", "http:"))
    return Verdict(
        Outcome.ACTION_REQUIRED,
        reference=reference,
        redirect_url=str(url) if usable and is_plain else "",
        trace=trace,
    )


def _amount(body: Mapping[str, Any]) -> Money | None:
    """Read the amount that an answer is of; None when it has none, or none that can be."""
    amount = body.get("amount")
    value = amount.get("value") if isinstance(amount, Mapping) else None
    currency = amount.get("currency") if isinstance(amount, Mapping) else None
    if type(value) is not int or not isinstance(currency, str):
        return None
    try:
        return units.to_money(value, currency)
    except units.Inexpressible:
        return None


def _agrees(amount: object, attempt: Attempt) -> bool:
    if not isinstance(amount, Mapping):
        return False
    value, asked = amount.get("value"), units.to_minor(attempt.amount)
    is_same = type(value) is int and value == asked
    return is_same and amount.get("currency") == attempt.amount.currency


def _succeeded(result: Result) -> Mapping[str, Any] | None:
    if isinstance(result, Response) and result.status in (200, 201):
        return result.body
    return None


def _trace(result: Result) -> str:
    return result.trace if isinstance(result, Response) else ""
