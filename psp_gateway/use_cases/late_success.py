"""Finds out that a PSP has charged what was given up: declined, gone to another PSP, or let go of.

What was final stays so. The late charge is kept as an attempt of its own, so that it is told, given
back under the same guard as any other, and found in the books.
"""

from dataclasses import replace
from datetime import datetime

from psp_gateway.domain.answer import Created, Verdict
from psp_gateway.domain.answered import held_until
from psp_gateway.domain.attempt import Attempt, Delivery, Kind, Outcome, Stage
from psp_gateway.domain.hosted_page import Reply
from psp_gateway.domain.late_looks import late_id
from psp_gateway.domain.psp_event import PspEvent, Subject
from psp_gateway.ports import Exchange
from psp_gateway.use_cases.take_further import Means, look_up

_SUBJECTS = frozenset({Subject.CHARGE, Subject.CAPTURE, Subject.PAGE})


def may_be_late(attempt: Attempt, event: PspEvent) -> bool:
    """Whether an event may tell that an attempt was charged which we believe was not."""
    if event.subject not in _SUBJECTS or not event.may_tell_success:
        return False
    if event.psp != attempt.psp:
        return attempt.kind.is_first and event.psp in attempt.psps_tried
    if attempt.kind is Kind.VOID:
        return attempt.outcome is Outcome.SUCCEEDED and _may_tell_capture(event)
    is_taking = attempt.kind.is_first or attempt.kind is Kind.CAPTURE
    return is_taking and attempt.outcome is Outcome.DECLINED


def _may_tell_capture(event: PspEvent) -> bool:
    """Whether an event may tell that what was let go had been taken. By its word alone only one of
    a capture does: that it was held before, which may be told as late as that, is no news.
    """
    return event.subject is Subject.CAPTURE or (
        event.verdict is None and event.subject is Subject.CHARGE
    )


async def ask_if_late(means: Means, attempt: Attempt, psp: str) -> Verdict | None:
    """Ask a PSP that the attempt was at whether it has charged it; None: it has not.

    An answer that is UNKNOWN or TRANSIENT tells nothing: ask once more, later; but for an alarm,
    by which it has taken another amount.
    """
    asked = _as_asked(means, attempt, psp)
    if asked is None:
        return None
    answer: Reply = await look_up(means, asked)
    if isinstance(answer, Created) and asked.stage is Stage.CREATE:
        found = replace(asked, stage=Stage.CONFIRM, psp_reference=answer.reference)
        answer = await look_up(means, found)
    if not isinstance(answer, Verdict) or answer.outcome in _NOT_CHARGED:
        return None
    has_taken = answer.taken is not None and answer.taken.amount > 0
    return None if answer.is_alarm and not has_taken else answer


_NOT_CHARGED = (Outcome.DECLINED, Outcome.PENDING, Outcome.ACTION_REQUIRED)


def _as_asked(means: Means, attempt: Attempt, psp: str) -> Attempt | None:
    """Tell what to look up; None: there is nothing to look up, or nobody to be asked."""
    if attempt.kind is Kind.VOID:
        asked = replace(attempt, kind=Kind.CAPTURE, stage=Stage.CAPTURE)
    elif psp != attempt.psp:
        asked = replace(attempt, psp=psp, stage=Stage.CREATE, psp_reference="")
    else:
        asked = attempt
    if asked.stage is Stage.OPEN or not means.knows(asked):
        return None
    return asked if means.patience(asked).can_look_up or asked.stage is Stage.PAGE else None


async def keep_late(
    means: Means, attempt: Attempt, psp: str, verdict: Verdict, now: datetime
) -> Attempt:
    """Store a late charge as an attempt of its own, once; answer it.

    Raises:
        Unavailable: the store did not answer; keeping it again is safe.
    """
    late = _late(attempt, psp, verdict.reference, now)
    stored = (await means.store.take_up_charge(late)).attempt
    if stored.outcome.is_final:
        return stored
    done = replace(
        late,
        version=stored.version,
        outcome=Outcome.SUCCEEDED,
        delivery=Delivery.ANSWERED,
        expires_at=held_until(late, verdict),
    )
    trail = Exchange("LATE", Outcome.SUCCEEDED.value, verdict.trace)
    return (await means.store.save(done, trail)).attempt


def _late(attempt: Attempt, psp: str, reference: str, now: datetime) -> Attempt:
    kind = Kind.CAPTURE if attempt.kind is Kind.VOID else attempt.kind
    return Attempt(
        attempt_id=late_id(attempt, psp),
        kind=kind,
        payment_id=attempt.payment_id,
        client_id=attempt.client_id,
        psp=psp,
        amount=attempt.amount,
        stage=Stage.CAPTURE if kind is Kind.CAPTURE else Stage.CONFIRM,
        created_at=now,
        updated_at=now,
        fingerprint=attempt.fingerprint,
        charge_attempt_id=attempt.charge_attempt_id,
        charge_reference=attempt.charge_reference,
        psp_reference=reference or attempt.charge_reference or attempt.psp_reference,
    )
