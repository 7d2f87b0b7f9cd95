"""A dispute: a buyer takes money back through his bank or the PSP; its stages, and how they follow.

What a PSP says of it is a `Standing`; `Dispute.taken` makes the next state of both. See
docs.stripe.com/disputes/how-disputes-work, docs.adyen.com/risk-management/understanding-disputes
and developer.paypal.com/docs/disputes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chassis.money import Money
from psp_gateway.domain.attempt import Attempt


class Reason(StrEnum):
    """Why the buyer wants it back."""

    FRAUD = "FRAUD"
    NOT_RECEIVED = "NOT_RECEIVED"
    NOT_AS_DESCRIBED = "NOT_AS_DESCRIBED"
    DUPLICATE = "DUPLICATE"
    CREDIT_NOT_PROCESSED = "CREDIT_NOT_PROCESSED"
    CANCELLED = "CANCELLED"
    PROCESSING_ERROR = "PROCESSING_ERROR"
    OTHER = "OTHER"


class Stage(StrEnum):
    """How far it has come; it never goes back."""

    INQUIRY = "INQUIRY"
    CHARGEBACK = "CHARGEBACK"
    PRE_ARBITRATION = "PRE_ARBITRATION"  # and the scheme's arbitration


class Status(StrEnum):
    """Whose turn it is, or how it ended."""

    NEEDS_RESPONSE = "NEEDS_RESPONSE"
    UNDER_REVIEW = "UNDER_REVIEW"
    WON = "WON"
    LOST = "LOST"
    ACCEPTED = "ACCEPTED"
    CLOSED = "CLOSED"  # without a winner: an inquiry that came to nothing, a charge given back


class Source(StrEnum):
    """Where a fact comes from."""

    TOLD = "TOLD"  # by a webhook
    READ = "READ"  # by asking the PSP
    ASKED = "ASKED"  # by an answer to our own request


_STAGES = tuple(Stage)

# Within a stage. A higher stage may begin, or end, in any status.
MOVES: Mapping[Status, frozenset[Status]] = {
    Status.NEEDS_RESPONSE: frozenset(Status) - {Status.NEEDS_RESPONSE},
    # PayPal asks again: WAITING_FOR_SELLER_RESPONSE.
    Status.UNDER_REVIEW: frozenset(Status) - {Status.UNDER_REVIEW},
    # Adyen: CHARGEBACK_REVERSED is not the end, SECOND_CHARGEBACK may follow.
    Status.WON: frozenset({Status.LOST}),
    # Stripe reinstates funds of lost disputes; and a PSP may tell of an acceptance as a loss before
    # our own request was answered.
    Status.LOST: frozenset({Status.WON, Status.ACCEPTED}),
    Status.ACCEPTED: frozenset(),
    Status.CLOSED: frozenset(),
}
_ENDS = frozenset({Status.WON, Status.LOST, Status.ACCEPTED, Status.CLOSED})


@dataclass(frozen=True, slots=True)
class Standing:
    """What a PSP says of a dispute.

    Attributes:
        reference: the PSP's id of it.
        amount: disputed, which may be less than the charge, or another by the rates of the day.
        psp_code: the reason as the PSP spells it.
        evidence_due_at: until when it may be answered; None when the PSP does not say.
        opened_at: by the PSP's clock; None when it does not say.
        charge_references: names of the charge: the PSP's, or our attempt id where it repeats it.
        submissions: how often evidence was given; None when the PSP does not say.
        may_reopen: whether the PSP hears an appeal within a stage, so that any end may be undone.
        told_amount: what the last word said, where `amount` sums up several; else None.
        trace: the status and the PSP's own id of the exchange.
    """

    reference: str
    amount: Money
    stage: Stage
    status: Status
    is_money_withdrawn: bool
    reason: Reason = Reason.OTHER
    psp_code: str = ""
    evidence_due_at: datetime | None = None
    opened_at: datetime | None = None
    charge_references: tuple[str, ...] = ()
    submissions: int | None = None
    may_reopen: bool = False
    told_amount: Money | None = None
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """One entry of a dispute's history: what became known, and how the dispute stood with it.

    Attributes:
        code: the event's type, or our own request.
        amount, psp_code, due_at: what came with it.
    """

    at: datetime
    source: Source
    code: str
    stage: Stage
    status: Status
    is_money_withdrawn: bool
    amount: Money
    psp_code: str = ""
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class News:
    """What makes a fact.

    Attributes:
        amount, psp_code, due_at: what came with it; None and empty: as the dispute then stands.
    """

    at: datetime
    source: Source
    code: str
    amount: Money | None = None
    psp_code: str = ""
    due_at: datetime | None = None


class Backwards(Exception):
    """The PSP says what cannot follow what it said before: a person must look."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """A dispute as it stands.

    Attributes:
        attempt_id: of the charge that is disputed.
        updated_at: when it last changed.
        history: the oldest first.
        version: counts the writes; 0 before the first.
    """

    dispute_id: str
    psp: str
    psp_reference: str
    attempt_id: str
    payment_id: str
    amount: Money
    reason: Reason
    psp_code: str
    stage: Stage
    status: Status
    evidence_due_at: datetime | None
    is_money_withdrawn: bool
    opened_at: datetime
    updated_at: datetime
    history: tuple[Fact, ...] = ()
    version: int = 0

    @property
    def needs_response(self) -> bool:
        """Whether it may be answered."""
        return self.status is Status.NEEDS_RESPONSE

    def knows(self, source: Source, code: str, stage: Stage | None = None) -> bool:
        """Whether this was heard before, at a stage or at any."""
        return any(
            fact.source is source and fact.code == code and stage in (None, fact.stage)
            for fact in self.history
        )

    def taken(self, standing: Standing, news: News) -> "Dispute":
        """Take in how the PSP says that it stands now; the same again changes nothing.

        Raises:
            Backwards: it cannot follow.
        """
        stage, status = standing.stage, standing.status
        if self.status is Status.ACCEPTED and status is Status.LOST:
            status = Status.ACCEPTED  # we accepted that it is lost
        if status in _ENDS:
            stage = max(self.stage, stage, key=_STAGES.index)  # an end may not say of which stage
        is_forward = follows(self.stage, self.status, stage, status)
        if not is_forward and not (standing.may_reopen and stage is self.stage):
            raise Backwards(
                f"{self.dispute_id} is {self.stage} {self.status}; "
                f"the PSP now says {stage} {status}."
            )
        after = self._standing(replace(standing, stage=stage, status=status))
        return self if after == self else _noted(after, news)

    def joined(self, standing: Standing, news: News) -> "Dispute":
        """Take in what all words of the PSP come to, one more among them."""
        return _noted(self._standing(standing), news)

    def _standing(self, standing: Standing) -> "Dispute":
        return replace(
            self,
            amount=standing.amount,
            reason=standing.reason,
            psp_code=standing.psp_code,
            stage=standing.stage,
            status=standing.status,
            evidence_due_at=standing.evidence_due_at,
            is_money_withdrawn=standing.is_money_withdrawn,
        )


def _noted(dispute: Dispute, news: News) -> Dispute:
    fact = Fact(
        at=news.at,
        source=news.source,
        code=news.code,
        stage=dispute.stage,
        status=dispute.status,
        is_money_withdrawn=dispute.is_money_withdrawn,
        amount=news.amount or dispute.amount,
        psp_code=news.psp_code,
        due_at=news.due_at,
    )
    return replace(dispute, history=(*dispute.history, fact), updated_at=news.at)


def opened(attempt: Attempt, standing: Standing, dispute_id: str, now: datetime) -> Dispute:
    """Make a dispute of a charge, not yet stored, with an empty history."""
    return Dispute(
        dispute_id=dispute_id,
        psp=attempt.psp,
        psp_reference=standing.reference,
        attempt_id=attempt.attempt_id,
        payment_id=attempt.payment_id,
        amount=standing.amount,
        reason=standing.reason,
        psp_code=standing.psp_code,
        stage=standing.stage,
        status=standing.status,
        evidence_due_at=standing.evidence_due_at,
        is_money_withdrawn=standing.is_money_withdrawn,
        opened_at=standing.opened_at or now,
        updated_at=now,
    )


def follows(stage: Stage, status: Status, next_stage: Stage, next_status: Status) -> bool:
    """Tell whether a PSP may say the one after the other."""
    rise = _STAGES.index(next_stage) - _STAGES.index(stage)
    if rise:
        return rise > 0
    return next_status is status or next_status in MOVES[status]
