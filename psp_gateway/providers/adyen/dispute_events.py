"""What Adyen's words of a dispute come to, in whatever order they came.

Each word has a rank, which is where it stands in a dispute's course; the highest that was heard
tells how the dispute stands, and the highest of those that move money tells where the money is.
That is the same for any order and repetition. See docs.adyen.com/risk-management/
understanding-disputes/dispute-process-and-flow and Webhooks-v1 of github.com/Adyen/adyen-openapi.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.money import Money
from psp_gateway.domain.dispute import Reason, Stage, Standing, Status


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one word says.

    Attributes:
        rank: where it stands in the course; higher is later.
        is_withdrawn: whether the money is gone with it; None when it moves none.
    """

    rank: int
    stage: Stage
    status: Status
    is_withdrawn: bool | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a dispute; our own, SUBMIT and ACCEPT, name the stage that they were said in.

    Attributes:
        amount: of Adyen's; None of ours.
        reason_code, due_at: not signed, and so for people only.
    """

    code: str
    stage: Stage | None = None
    amount: Money | None = None
    reason_code: str = ""
    due_at: datetime | None = None


_RFI, _CB, _PREARB = Stage.INQUIRY, Stage.CHARGEBACK, Stage.PRE_ARBITRATION

MEANINGS: Mapping[str, Meaning] = {
    "REQUEST_FOR_INFORMATION": Meaning(10, _RFI, Status.NEEDS_RESPONSE),
    "NOTIFICATION_OF_CHARGEBACK": Meaning(20, _CB, Status.NEEDS_RESPONSE),
    "CHARGEBACK": Meaning(30, _CB, Status.NEEDS_RESPONSE, is_withdrawn=True),
    "INFORMATION_SUPPLIED": Meaning(35, _CB, Status.UNDER_REVIEW),
    "DISPUTE_DEFENSE_PERIOD_ENDED": Meaning(37, _CB, Status.LOST),
    # "This stage is not final": a second chargeback may follow.
    "CHARGEBACK_REVERSED": Meaning(40, _CB, Status.WON, is_withdrawn=False),
    "ISSUER_RESPONSE_TIMEFRAME_EXPIRED": Meaning(45, _CB, Status.WON),
    "SECOND_CHARGEBACK": Meaning(50, _CB, Status.LOST, is_withdrawn=True),
    "PREARBITRATION_OPEN": Meaning(60, _PREARB, Status.NEEDS_RESPONSE),
    "PREARBITRATION_DECLINED": Meaning(65, _PREARB, Status.UNDER_REVIEW),
    "PREARBITRATION_ACCEPTED": Meaning(70, _PREARB, Status.ACCEPTED, is_withdrawn=True),
    "PREARBITRATION_ISSUER_WITHDRAWN": Meaning(71, _PREARB, Status.WON, is_withdrawn=False),
    "PREARBITRATION_WON": Meaning(72, _PREARB, Status.WON, is_withdrawn=False),
    "PREARBITRATION_LOST": Meaning(73, _PREARB, Status.LOST, is_withdrawn=True),
    "SCHEME_ARBITRATION": Meaning(80, _PREARB, Status.UNDER_REVIEW),
    "SCHEME_ARBITRATION_WON": Meaning(90, _PREARB, Status.WON, is_withdrawn=False),
    "SCHEME_ARBITRATION_LOST": Meaning(91, _PREARB, Status.LOST, is_withdrawn=True),
}
# It says why, and changes nothing.
SILENT = frozenset({"ISSUER_COMMENTS"})
# Said of a request for information too, under the same reference and, since Adyen repeats no code
# of a reference, not a second time of the chargeback that may follow: then, for prudence, the
# chargeback counts as not answered.
_OF_AN_INQUIRY: Mapping[str, Meaning] = {
    "INFORMATION_SUPPLIED": Meaning(12, _RFI, Status.UNDER_REVIEW),
    "DISPUTE_DEFENSE_PERIOD_ENDED": Meaning(13, _RFI, Status.CLOSED),
}
# Our requests that Adyen has taken, by the stage that they were made in.
_OURS: Mapping[tuple[str, Stage], Meaning] = {
    ("SUBMIT", _RFI): Meaning(11, _RFI, Status.UNDER_REVIEW),
    ("ACCEPT", _RFI): Meaning(14, _RFI, Status.ACCEPTED),
    ("SUBMIT", _CB): Meaning(34, _CB, Status.UNDER_REVIEW),
    ("ACCEPT", _CB): Meaning(38, _CB, Status.ACCEPTED),
    ("SUBMIT", _PREARB): Meaning(64, _PREARB, Status.UNDER_REVIEW),
    ("ACCEPT", _PREARB): Meaning(74, _PREARB, Status.ACCEPTED),
}

_BY_REASON: Mapping[Reason, str] = {
    Reason.FRAUD: """
        10.1 10.2 10.3 10.4 10.5 4837 4840 4849 4863 4870 4871 F10 F14 F24 F29 F30 F31 FR2 FR4 FR6
        UA01 UA02 UA05 UA06 UA10 UA11 UA38 AA
    """,
    Reason.NOT_RECEIVED: "13.1 4855 C08 RG NA",
    Reason.NOT_AS_DESCRIBED: "13.3 13.4 13.5 4853 C31 C32 RM",
    Reason.DUPLICATE: "12.6 12.6.1 12.6.2 4834 C14 P08 DP PM",
    Reason.CREDIT_NOT_PROCESSED: "13.6 13.8 13.9 4860 C02 C04 CR CD RN2",
    Reason.CANCELLED: "13.2 13.7 4841 C05 C18 C28 AP",
    Reason.PROCESSING_ERROR: """
        11.1 11.2 11.3 12.1 12.2 12.3 12.4 12.5 12.7 4807 4808 4812 4831 4842 4846 4854 A01 A02 A08
        P01 P03 P04 P05 P07 P22 P23 AT AW IN LP
    """,
}
# Visa's, Mastercard's, American Express's and Discover's codes, which do not clash:
# docs.adyen.com/risk-management/understanding-disputes/dispute-reason-codes. Others are OTHER.
REASONS: Mapping[str, Reason] = {
    code: reason for reason, codes in _BY_REASON.items() for code in codes.split()
}


def sum_up(reference: str, words: Sequence[Word]) -> Standing | None:
    """Tell how a dispute stands by all words that were heard; None when none says so."""
    is_inquiry = any(word.code == "REQUEST_FOR_INFORMATION" for word in words)
    heard = [
        (meaning, word)
        for word in words
        if (meaning := _meaning(word, is_inquiry=is_inquiry)) is not None
    ]
    ranked = sorted(heard, key=lambda pair: pair[0].rank)
    amounts = [word.amount for _, word in ranked if word.amount is not None]
    if not ranked or not amounts:
        return None
    last, moves = ranked[-1][0], [m.is_withdrawn for m, _ in ranked if m.is_withdrawn is not None]
    reasons = [word.reason_code for _, word in ranked if word.reason_code]
    dues = [word.due_at for _, word in ranked if word.due_at is not None]
    code = reasons[-1] if reasons else ""
    return Standing(
        reference=reference,
        amount=amounts[-1],
        stage=last.stage,
        status=last.status,
        is_money_withdrawn=moves[-1] if moves else False,
        reason=REASONS.get(code, Reason.OTHER),
        psp_code=code,
        evidence_due_at=dues[-1] if dues else None,
    )


def _meaning(word: Word, *, is_inquiry: bool) -> Meaning | None:
    if word.stage is not None:
        return _OURS.get((word.code, word.stage))
    if is_inquiry and word.code in _OF_AN_INQUIRY:
        return _OF_AN_INQUIRY[word.code]
    return MEANINGS.get(word.code)
