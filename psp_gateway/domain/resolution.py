"""What two persons say of an attempt, held against what is known of it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chassis.money import Money
from psp_gateway.domain.answer import Absent, Created, Verdict
from psp_gateway.domain.attempt import Attempt, Delivery, Kind, Outcome, Stage
from psp_gateway.domain.errors import AttemptNotUnknown, Refusal, ResolutionContradicted
from psp_gateway.domain.hosted_page import Opened, Reply
from psp_gateway.domain.reasons import MESSAGES, Reason

# Cards are held for seven days at least from the first request, everywhere that we know of.
_HOLD_MIN = timedelta(days=7)
# Where the PSP's object is read by its id, what it says of it is no stale search.
_READ_BY_ID = (Stage.CONFIRM, Stage.CAPTURE, Stage.VOID)


@dataclass(frozen=True, slots=True)
class AttemptResolution:
    """What is said: SUCCEEDED with the PSP's reference and the amount, or DECLINED."""

    attempt_id: str
    outcome: Outcome
    psp_reference: str
    amount: Money | None
    evidence: str
    proposed_by: str
    approved_by: str


def objection(said: AttemptResolution, attempt: Attempt, answer: Reply) -> Refusal | None:
    """Tell what speaks against it: the attempt itself, or what the PSP has just answered; None:
    nothing does. Silence of the PSP speaks against nothing.
    """
    if attempt.outcome is not Outcome.UNKNOWN:
        return AttemptNotUnknown(attempt.attempt_id, attempt.outcome)
    if isinstance(answer, Opened):
        return AttemptNotUnknown(attempt.attempt_id, "open at the PSP")
    is_done = said.outcome is Outcome.SUCCEEDED
    why = _against_success(said, attempt, answer) if is_done else _against_failure(answer)
    return ResolutionContradicted(attempt.attempt_id, why) if why else None


def _against_success(said: AttemptResolution, attempt: Attempt, answer: Reply) -> str:
    if said.amount is None or said.amount != attempt.amount:
        return f"{attempt.amount} {attempt.amount.currency} was asked for, no other amount"
    if not said.psp_reference:
        return "what moved has a reference at the PSP"
    expected = attempt.charge_reference if _is_about_hold(attempt) else attempt.psp_reference
    if expected and said.psp_reference != expected:
        return f"the PSP knows it as {expected}"
    if isinstance(answer, Verdict) and answer.is_alarm:
        return f"the PSP says {answer.reason or 'what must not be'}"
    not_done = isinstance(answer, Created | Absent) and attempt.stage in _READ_BY_ID
    return "the PSP says that it has not done it" if not_done else ""


def _against_failure(answer: Reply) -> str:
    """Tell whether the PSP says that it took something, though not what it was asked for."""
    took = isinstance(answer, Verdict) and answer.reason == Reason.AMOUNT_MISMATCH
    return "the PSP says that it has taken another amount" if took else ""


def resolved(said: AttemptResolution, attempt: Attempt, now: datetime) -> Attempt:
    """Make the attempt that what is said amounts to; nothing may speak against it."""
    if said.outcome is Outcome.DECLINED:
        reason = Reason.RESOLVED_BY_HAND
        return replace(
            attempt,
            outcome=Outcome.DECLINED,
            delivery=Delivery.ANSWERED,
            reason=reason.value,
            psp_code="",
            message=MESSAGES[reason],
            redirect_url="",
            updated_at=now,
        )
    is_held = attempt.kind is Kind.AUTHORIZATION
    return replace(
        attempt,
        outcome=Outcome.SUCCEEDED,
        delivery=Delivery.ANSWERED,
        psp_reference=said.psp_reference,
        reason="",
        psp_code="",
        message="",
        redirect_url="",
        updated_at=now,
        expires_at=attempt.created_at + _HOLD_MIN if is_held else None,
    )


def _is_about_hold(attempt: Attempt) -> bool:
    return attempt.kind in (Kind.CAPTURE, Kind.VOID)
