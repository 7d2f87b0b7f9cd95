"""What a PSP says unasked, in words that all PSPs share."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from psp_gateway.domain.answer import Verdict
from psp_gateway.domain.attempt import Outcome

_DENYING = ("fail", "cancel", "decline", "denied", "expire", "void", "refus", "requires_action")


class Subject(StrEnum):
    """What an event is about."""

    CHARGE = "CHARGE"  # or an authorization
    CAPTURE = "CAPTURE"
    VOID = "VOID"
    REFUND = "REFUND"
    PAYOUT = "PAYOUT"
    DISPUTE = "DISPUTE"
    PAGE = "PAGE"  # a hosted page
    REPORT = "REPORT"
    OTHER = "OTHER"  # stored, and of no consequence


@dataclass(frozen=True, slots=True)
class PspEvent:
    """One event of a webhook whose signature was right.

    Attributes:
        event_id: the PSP's own, or made of what makes the event one: the same for each delivery.
        event_type: as the PSP spells it.
        reference: the PSP's id of the subject; empty when it names none.
        charge_reference: the PSP's id of the charge that the subject belongs to; empty when it is
            the charge or is not named.
        attempt_id: ours, when the PSP repeats it; else empty.
        verdict: what it says of the money; None when it only tells to ask the PSP again.
        amount_minor, currency: what a verdict is about, in the PSP's own minor units; None where
            the PSP can be asked.
        occurred_at: by the PSP's clock; None when it does not say.
        told_code, told_due_at: of a dispute, the reason and the deadline that came with it; where
            the PSP does not sign them they inform a person and decide nothing.
        report_url: of a report, whose name is `reference`, where a person may fetch it: an address
            of the PSP's own, which is never followed here. Empty when it is not told, or leads
            elsewhere.
    """

    psp: str
    event_id: str
    event_type: str
    subject: Subject
    reference: str = ""
    charge_reference: str = ""
    attempt_id: str = ""
    verdict: Verdict | None = None
    amount_minor: int | None = None
    currency: str = ""
    occurred_at: datetime | None = None
    told_code: str = ""
    told_due_at: datetime | None = None
    report_url: str = ""

    @property
    def may_tell_success(self) -> bool:
        """Whether it may tell that money was taken: its type names nothing that denies it. A type
        that nobody knows may.
        """
        if self.verdict is not None:
            return self.verdict.outcome is Outcome.SUCCEEDED
        told = self.event_type.lower()
        return not any(word in told for word in _DENYING)
