"""What two persons say of an attempt, held against what is known of it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chassis.money import Money
from psp_gateway.domain.answer import Absent, Created, Verdict, in_words
from psp_gateway.domain.attempt import Attempt, Delivery, Kind, Method, Outcome, Stage
from psp_gateway.domain.errors import AttemptNotUnknown, Refusal, ResolutionContradicted
from psp_gateway.domain.hosted_page import Opened, Reply
from psp_gateway.domain.reasons import MESSAGES, Reason

# Cards are held for seven days at least from the first request, everywhere that we know of.
_HOLD_MIN = timedelta(days=7)
# As long as payment_svc waits before it asks a person.
_TOLD_BY, _DEBIT_TOLD_BY = timedelta(hours=24), timedelta(days=21)
# Where the PSP's object is read by its id, what it says of it is no stale search.
_READ_BY_ID = (Stage.CONFIRM, Stage.CAPTURE, Stage.VOID)
_GIVEN_BACK = "The PSP took another amount than was asked for; it is given back."


@dataclass(frozen=True, slots=True)
class AttemptResolution:
    """What is said: SUCCEEDED with the PSP's reference and the amount; DECLINED; or DECLINED with
    the reference and the other amount that the PSP took.
    """

    attempt_id: str
    outcome: Outcome
    psp_reference: str
    amount: Money | None
    evidence: str
    proposed_by: str
    approved_by: str

    @property
    def other_amount(self) -> Money | None:
        """What the PSP took instead of what was asked for; None: that is not what is said."""
        return self.amount if self.outcome is Outcome.DECLINED else None


def objection(
    said: AttemptResolution,
    attempt: Attempt,
    answer: Reply,
    *,
    can_be_asked: bool = True,
    is_overdue: bool = False,
) -> Refusal | None:
    """Tell what speaks against it: the attempt itself, or what the PSP has just answered; None:
    nothing does. Silence of the PSP speaks against nothing but another amount, which the PSP has to
    tell, now if it `can_be_asked`.
    """
    if attempt.outcome is not Outcome.UNKNOWN and not is_overdue:
        return AttemptNotUnknown(attempt.attempt_id, attempt.outcome)
    if isinstance(answer, Opened):
        return AttemptNotUnknown(attempt.attempt_id, "open at the PSP")
    if said.outcome is Outcome.SUCCEEDED:
        why = _against_success(said, attempt, answer)
    elif said.other_amount is not None:
        has_told = not can_be_asked and attempt.reason == Reason.AMOUNT_MISMATCH
        why = _against_other(said, said.other_amount, attempt, answer, has_told=has_told)
    else:
        why = _against_failure(answer)
    return ResolutionContradicted(attempt.attempt_id, why) if why else None


def is_overdue(attempt: Attempt, now: datetime, *, can_be_asked: bool) -> bool:
    """Whether a PSP that has only taken it in, and cannot be asked, should have told by now what
    became of it: its webhook may be lost, and then nobody else ends it.
    """
    waits = attempt.outcome is Outcome.PENDING and attempt.delivery is Delivery.ANSWERED
    patience = _DEBIT_TOLD_BY if attempt.method is Method.BANK_DEBIT else _TOLD_BY
    return waits and not can_be_asked and now - attempt.created_at >= patience


def is_of_other_amount(said: AttemptResolution, attempt: Attempt) -> bool:
    """Whether the attempt was resolved already as one of which another amount was taken, and that
    is what is said.
    """
    is_so = attempt.outcome is Outcome.DECLINED and attempt.reason == Reason.AMOUNT_MISMATCH
    return is_so and said.other_amount is not None


def _against_success(said: AttemptResolution, attempt: Attempt, answer: Reply) -> str:
    if said.amount is None or said.amount != attempt.amount:
        return f"{in_words(attempt.amount)} was asked for, no other amount"
    reference = _against_reference(said, attempt)
    if reference:
        return reference
    if isinstance(answer, Verdict) and answer.is_alarm:
        return f"the PSP says {answer.reason or 'what must not be'}"
    not_done = isinstance(answer, Created | Absent) and attempt.stage in _READ_BY_ID
    return "the PSP says that it has not done it" if not_done else ""


def _against_other(
    said: AttemptResolution, other: Money, attempt: Attempt, answer: Reply, *, has_told: bool
) -> str:
    """Hold another amount against what the PSP tells: a person may have misread a figure."""
    if not (attempt.kind.is_first or attempt.kind is Kind.CAPTURE):
        return f"a {attempt.kind} takes nothing"
    if other == attempt.amount:
        return f"{in_words(attempt.amount)} is what was asked for"
    reference = _against_reference(said, attempt)
    if reference:
        return reference
    if has_told:
        return ""
    if not isinstance(answer, Verdict) or answer.reason is not Reason.AMOUNT_MISMATCH:
        return "the PSP does not tell now that it took another amount"
    if answer.taken is None:
        return "the PSP does not tell now how much it took"
    return "" if answer.taken == other else f"the PSP says {in_words(answer.taken)}"


def _against_reference(said: AttemptResolution, attempt: Attempt) -> str:
    if not said.psp_reference:
        return "what moved has a reference at the PSP"
    expected = attempt.charge_reference if _is_about_hold(attempt) else attempt.psp_reference
    if expected and said.psp_reference != expected:
        return f"the PSP knows it as {expected}"
    return ""


def _against_failure(answer: Reply) -> str:
    """Tell whether the PSP says that it took something, though not what it was asked for."""
    if not isinstance(answer, Verdict) or answer.reason is not Reason.AMOUNT_MISMATCH:
        return ""
    if answer.taken is None:
        return "the PSP says that it has taken another amount"
    is_nothing = not answer.taken.amount
    return "" if is_nothing else f"the PSP says that it has taken {in_words(answer.taken)}"


def resolved(said: AttemptResolution, attempt: Attempt, now: datetime) -> Attempt:
    """Make the attempt that what is said amounts to; nothing may speak against it."""
    if said.outcome is Outcome.DECLINED:
        reason, message = Reason.RESOLVED_BY_HAND, MESSAGES[Reason.RESOLVED_BY_HAND]
        if said.other_amount is not None:
            reason, message = Reason.AMOUNT_MISMATCH, _GIVEN_BACK
        return replace(
            attempt,
            outcome=Outcome.DECLINED,
            delivery=Delivery.ANSWERED,
            reason=reason.value,
            psp_code="",
            message=message,
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
