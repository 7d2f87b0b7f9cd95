"""What an answer of PayPal's without the wanted object says: only what PayPal documents as not
executed counts as no; everything else that came back after sending is unknown.

See https://developer.paypal.com/api/rest/responses/ for the names of errors.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from psp_gateway.domain.answer import Answer, Verdict, no_answer, not_sent, unusable
from psp_gateway.domain.attempt import Delivery, Outcome
from psp_gateway.domain.reasons import Reason
from psp_gateway.http_client import NoAnswer, NotSent
from psp_gateway.providers.paypal.client import Response, Result
from psp_gateway.providers.paypal.codes import ISSUES, NEW, OF_THE_ACCOUNT, Issue, Meaning
from psp_gateway.providers.paypal.objects import page_of, text

# By status, the name that PayPal gives to a request that it refuses without looking further.
_REFUSED: Mapping[int, str] = {
    400: "INVALID_REQUEST",
    403: "NOT_AUTHORIZED",
    404: "RESOURCE_NOT_FOUND",
    405: "METHOD_NOT_SUPPORTED",
    406: "MEDIA_TYPE_NOT_ACCEPTABLE",
    415: "UNSUPPORTED_MEDIA_TYPE",
}
_WITH_ISSUES = frozenset({400, 403, 404, 409, 422})


def failure(result: Result) -> Verdict:
    """Tell what a request without the wanted answer says of the money."""
    match result:
        case NotSent():
            return not_sent()
        case NoAnswer():
            return no_answer()
        case Response():
            return _error(result)


def before_sending(result: Result) -> Verdict:
    """Tell what a look says that failed before anything that moves money was sent."""
    verdict = failure(result)
    if verdict.about_request:
        return verdict
    return Verdict(
        Outcome.TRANSIENT,
        Delivery.NOT_SENT,
        reason=Reason.NO_USABLE_ANSWER,
        psp_code=verdict.psp_code,
        about_request=True,
        trace=verdict.trace,
    )


def after_sending(looked: Answer) -> Answer:
    """Tell what a look says that came after something was sent: a look that failed says nothing."""
    if isinstance(looked, Verdict) and looked.about_request:
        return unusable(looked.trace, psp_code=looked.psp_code)
    return looked


def is_not_found(result: Result) -> bool:
    """Whether PayPal itself, and nobody on the way, says that there is no such object."""
    is_404 = isinstance(result, Response) and result.status == 404
    body = result.body if isinstance(result, Response) else None
    return is_404 and text(body or {}, "name") == _REFUSED[404]


def is_of_our_account(verdict: Verdict) -> bool:
    """Whether the account, and not the request, is what PayPal minds."""
    return verdict.psp_code in OF_THE_ACCOUNT


def _error(response: Response) -> Verdict:
    body, status, trace = response.body or {}, response.status, response.trace
    name = text(body, "name") or text(body, "error")
    if status == 429:
        limited = _nothing_happened(Reason.PSP_RATE_LIMITED, name, trace)
        return replace(limited, retry_after=response.retry_after)
    if status == 401:
        return _nothing_happened(Reason.PSP_REQUEST_INVALID, name, trace)
    issues = dict(_issues(body)) if status in _WITH_ISSUES else {}
    is_refused = bool(name) and name == _REFUSED.get(status)
    if is_refused and Meaning.NEW in {issue.meaning for issue in issues.values()}:
        # What is malformed, not allowed or not there was not executed, whatever it is that is new.
        issues = {code: _known(issue) for code, issue in issues.items()}
    if issues:
        code, issue = max(issues.items(), key=lambda item: item[1].meaning)
        return _said(issue, code, body, trace)
    if is_refused:
        return _said(_known(NEW), name, body, trace)
    return unusable(trace, psp_code=name)


def _known(issue: Issue) -> Issue:
    is_new = issue.meaning is Meaning.NEW
    return Issue(Meaning.REFUSED, Reason.PSP_REQUEST_INVALID) if is_new else issue


def _issues(body: Mapping[str, Any]) -> Iterator[tuple[str, Issue]]:
    """Read the issues of an error."""
    details = body.get("details")
    for detail in details if isinstance(details, list) else []:
        code = text(detail, "issue") if isinstance(detail, dict) else ""
        if code:
            yield code, ISSUES.get(code, NEW)


def _said(issue: Issue, code: str, body: Mapping[str, Any], trace: str) -> Verdict:
    match issue.meaning:
        case Meaning.DECLINED:
            return Verdict(Outcome.DECLINED, reason=issue.reason, psp_code=code, trace=trace)
        case Meaning.REFUSED:
            return _no(issue, code, trace)
        case Meaning.NOT_YET:
            return _nothing_happened(issue.reason, code, trace)
        case Meaning.BUYER:
            return _buyer(issue, code, page_of(body), trace)
        case Meaning.IN_FLIGHT | Meaning.DONE | Meaning.NEW:
            return unusable(trace, psp_code=code)


def _buyer(issue: Issue, code: str, page: str, trace: str) -> Verdict:
    """Send the buyer to PayPal; without a way there his instrument was declined, or nothing comes
    of this request.
    """
    if page:
        return Verdict(Outcome.ACTION_REQUIRED, psp_code=code, redirect_url=page, trace=trace)
    if issue.reason is Reason.CARD_DECLINED:
        return Verdict(Outcome.DECLINED, reason=issue.reason, psp_code=code, trace=trace)
    return _no(issue, code, trace)


def _no(issue: Issue, code: str, trace: str) -> Verdict:
    return Verdict(
        Outcome.DECLINED, reason=issue.reason, psp_code=code, about_request=True, trace=trace
    )


def _nothing_happened(reason: Reason, code: str, trace: str) -> Verdict:
    return Verdict(Outcome.TRANSIENT, reason=reason, psp_code=code, about_request=True, trace=trace)
