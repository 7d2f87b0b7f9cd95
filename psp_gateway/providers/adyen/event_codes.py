"""What each eventCode of Adyen's standard notifications is about, and what it says of the money.

From Adyen's description of its webhooks (Webhooks-v1 of github.com/Adyen/adyen-openapi) and
docs.adyen.com/development-resources/webhooks/webhook-types; a code that is not here is OTHER.
"""

from collections.abc import Mapping

from psp_gateway.domain.answer import Verdict, alarm
from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.psp_event import Subject
from psp_gateway.domain.reasons import Reason

SUBJECTS: Mapping[str, Subject] = {
    "AUTHORISATION": Subject.CHARGE,
    "CAPTURE": Subject.CAPTURE,
    "CAPTURE_FAILED": Subject.CAPTURE,
    "CANCELLATION": Subject.VOID,
    "TECHNICAL_CANCEL": Subject.VOID,
    "REFUND": Subject.REFUND,
    "REFUND_FAILED": Subject.REFUND,
    "REFUNDED_REVERSED": Subject.REFUND,
    "REFUND_WITH_DATA": Subject.REFUND,
    "POSTPONED_REFUND": Subject.REFUND,
    "CANCEL_OR_REFUND": Subject.REFUND,
    "PAIDOUT_REVERSED": Subject.PAYOUT,
    "PAYOUT_DECLINE": Subject.PAYOUT,
    "PAYOUT_EXPIRE": Subject.PAYOUT,
    "PAYOUT_THIRDPARTY": Subject.PAYOUT,
    "CHARGEBACK": Subject.DISPUTE,
    "CHARGEBACK_REVERSED": Subject.DISPUTE,
    "DISPUTE_DEFENSE_PERIOD_ENDED": Subject.DISPUTE,
    "INFORMATION_SUPPLIED": Subject.DISPUTE,
    "ISSUER_COMMENTS": Subject.DISPUTE,
    "ISSUER_RESPONSE_TIMEFRAME_EXPIRED": Subject.DISPUTE,
    "NOTIFICATION_OF_CHARGEBACK": Subject.DISPUTE,
    "PREARBITRATION_ACCEPTED": Subject.DISPUTE,
    "PREARBITRATION_DECLINED": Subject.DISPUTE,
    "PREARBITRATION_ISSUER_WITHDRAWN": Subject.DISPUTE,
    "PREARBITRATION_LOST": Subject.DISPUTE,
    "PREARBITRATION_OPEN": Subject.DISPUTE,
    "PREARBITRATION_WON": Subject.DISPUTE,
    "REQUEST_FOR_INFORMATION": Subject.DISPUTE,
    "SCHEME_ARBITRATION": Subject.DISPUTE,
    "SCHEME_ARBITRATION_LOST": Subject.DISPUTE,
    "SCHEME_ARBITRATION_WON": Subject.DISPUTE,
    "SECOND_CHARGEBACK": Subject.DISPUTE,
    "REPORT_AVAILABLE": Subject.REPORT,
}

# Known, and of no consequence: they move no money of ours, or an event above tells what came of it
# (a rejected manual review is followed by a CANCELLATION). EXPIRE is known by the attempt's own
# `expires_at`; NOTIFICATION_OF_FRAUD only warns that a chargeback may come.
OTHERS = frozenset(
    {
        "ACH_NOTIFICATION_OF_CHANGE",
        "AUTHENTICATION",
        "AUTHORISATION_ADJUSTMENT",
        "AUTORESCUE",
        "CANCEL_AUTORESCUE",
        "DIRECT_DEBIT_NOTICE_OF_CHANGE_NOTIFICATION",
        "EXPIRE",
        "HANDLED_EXTERNALLY",
        "MANUAL_REVIEW_ACCEPT",
        "MANUAL_REVIEW_REJECT",
        "NOTIFICATION_OF_FRAUD",
        "OFFER_CLOSED",
        "ORDER_CLOSED",
        "ORDER_OPENED",
        "RECURRING_CONTRACT",
        "VOID_PENDING_REFUND",
    }
)

# What came of a request: yes, or why not.
_RESULTS: Mapping[str, Reason] = {
    "AUTHORISATION": Reason.CARD_DECLINED,
    "CAPTURE": Reason.PSP_REQUEST_INVALID,
    "CANCELLATION": Reason.PSP_REQUEST_INVALID,
    "TECHNICAL_CANCEL": Reason.PSP_REQUEST_INVALID,
    "REFUND": Reason.PSP_REQUEST_INVALID,
    "REFUND_WITH_DATA": Reason.PSP_REQUEST_INVALID,
}
# Said later, and with success true: what had been taken on, even called done, has not come off.
_FAILURES = frozenset({"CAPTURE_FAILED", "REFUND_FAILED", "REFUNDED_REVERSED"})


def subject(code: str) -> Subject:
    """Tell what an event is about."""
    return SUBJECTS.get(code, Subject.OTHER)


def verdict(code: str, reference: str, *, is_success: bool) -> Verdict | None:
    """Tell what an event says of the money; None when nothing.

    A step of a dispute that failed is none that Adyen describes: a person must look.
    CAPTURE_FAILED, REFUND_FAILED and REFUNDED_REVERSED may contradict an earlier success.
    """
    if code in _FAILURES and is_success:
        return _declined(code, reference, Reason.PROCESSING_ERROR)
    if code == "POSTPONED_REFUND" and is_success:
        return Verdict(Outcome.PENDING, reference=reference)
    if code in _FAILURES or (code == "CANCEL_OR_REFUND" and is_success):
        # A failure that failed; or one of two things, and which is not signed.
        return alarm("", Reason.NO_USABLE_ANSWER, psp_code=code, reference=reference)
    if SUBJECTS.get(code) is Subject.DISPUTE and not is_success:
        return alarm("", Reason.NO_USABLE_ANSWER, psp_code=code, reference=reference)
    if code not in _RESULTS:
        return None
    if is_success:
        return Verdict(Outcome.SUCCEEDED, reference=reference)
    return _declined(code, reference, _RESULTS[code])


def _declined(code: str, reference: str, reason: Reason) -> Verdict:
    """Say no; the code is the event's, since the code of the refusal is not signed."""
    return Verdict(Outcome.DECLINED, reference=reference, reason=reason, psp_code=code)
