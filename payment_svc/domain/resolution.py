"""What two persons say became of a step that nobody else can tell about."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chassis.money import Money
from payment_svc.domain.actor import Actor
from payment_svc.domain.errors import ResolutionNotOpen, SecondPersonNeeded


class Decision(StrEnum):
    """What is said; see the proto."""

    CHARGED = "CHARGED"
    NOT_CHARGED = "NOT_CHARGED"
    DONE_BY_HAND = "DONE_BY_HAND"
    GIVE_UP = "GIVE_UP"
    OTHER_AMOUNT = "OTHER_AMOUNT"

    @property
    def moved_money(self) -> bool:
        """Whether it says that a PSP took something, or holds it: then how much, and as what."""
        return self in (Decision.CHARGED, Decision.OTHER_AMOUNT)


class ResolutionStatus(StrEnum):
    """Where it stands; see the proto."""

    PROPOSED = "PROPOSED"
    APPROVED = "APPROVED"
    APPLIED = "APPLIED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    CONTRADICTED = "CONTRADICTED"


@dataclass(frozen=True, slots=True)
class Resolution:
    """A proposal, and what became of it. Who approves it is never who proposed it.

    Attributes:
        saga_epoch: of the saga as the proposer saw it.
        amount: how much moved; None unless money did.
        note: what came of it, for a person.
    """

    resolution_id: str
    saga_id: str
    payment_id: str
    saga_epoch: int
    step: str
    action: str
    attempt_id: str
    decision: Decision
    evidence: str
    reason: str
    proposed_by: Actor
    proposed_at: datetime
    expires_at: datetime
    psp_reference: str = ""
    amount: Money | None = None
    evidence_link: str = ""
    status: ResolutionStatus = ResolutionStatus.PROPOSED
    approved_by: str | None = None
    decided_by: Actor | None = None
    decided_at: datetime | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if self.approved_by == self.proposed_by.name:
            raise SecondPersonNeeded(self.resolution_id, self.proposed_by.name)

    def seen(self, now: datetime) -> "Resolution":
        """Tell how it stands now: a proposal that nobody approved in time has expired."""
        if self.status is ResolutionStatus.PROPOSED and now >= self.expires_at:
            return replace(self, status=ResolutionStatus.EXPIRED)
        return self

    def approve(self, actor: Actor, now: datetime) -> "Resolution":
        """Approve it; by the same person again it is no change.

        Raises:
            SecondPersonNeeded: who approves has proposed it.
            ResolutionNotOpen: it is not PROPOSED any more.
        """
        if actor.name == self.proposed_by.name:
            raise SecondPersonNeeded(self.resolution_id, actor.name)
        if self.approved_by == actor.name:
            return self
        self._require_open(now)
        return replace(
            self,
            status=ResolutionStatus.APPROVED,
            approved_by=actor.name,
            decided_by=actor,
            decided_at=now,
        )

    def reject(self, actor: Actor, now: datetime, why: str) -> "Resolution":
        """Reject it, or take one's own back; by the same person again it is no change.

        Raises:
            ResolutionNotOpen: it is not PROPOSED any more.
        """
        is_rejected = self.status is ResolutionStatus.REJECTED
        if is_rejected and self.decided_by is not None and self.decided_by.name == actor.name:
            return self
        self._require_open(now)
        return replace(
            self, status=ResolutionStatus.REJECTED, decided_by=actor, decided_at=now, note=why
        )

    def end(self, status: ResolutionStatus, note: str) -> "Resolution":
        """Tell what came of it once it was approved."""
        if self.status is not ResolutionStatus.APPROVED:
            raise AssertionError(f"{self.resolution_id} is {self.status}")
        return replace(self, status=status, note=note)

    def _require_open(self, now: datetime) -> None:
        seen = self.seen(now).status
        if seen is not ResolutionStatus.PROPOSED:
            raise ResolutionNotOpen(self.resolution_id, seen)
