"""What an answer makes of an attempt and its walk: pure functions."""

from datetime import datetime, timedelta

from chassis.changed import changed
from psp_gateway.domain.answer import Absent, Created, Verdict
from psp_gateway.domain.attempt import Attempt, Delivery, Kind, Method, Outcome, Stage
from psp_gateway.domain.hosted_page import Opened, Reply
from psp_gateway.domain.reasons import MESSAGES, Reason
from psp_gateway.domain.walk import MAKES_AN_OBJECT, Patience, Seen, Step, Walk, has_old_key

# No PSP is obeyed for longer: a payment is waiting.
_RETRY_AFTER_MAX = timedelta(minutes=5)
# What is not known is looked up after an eighth of its age, and so often at least while its key
# may be sent again.
_LOOK_AFTER_SHARE, _LOOKS_IN_WINDOW = 8, 24
_LOOK_AFTER_MIN = timedelta(seconds=1)
# Cards are held for seven days at least, everywhere that we know of.
_HOLD_MIN = timedelta(days=7)


def advance(walk: Walk, step: Step, answer: Reply, now: datetime, patience: Patience) -> Walk:
    """Take in the answer to a step. The attempt of the new walk is to be stored before going on."""
    after = _advance(walk, step, answer, now, patience)
    retry_at = _retry_at(after.attempt, answer, now, patience)
    if retry_at == after.attempt.retry_at:
        return after
    return changed(after, attempt=changed(after.attempt, retry_at=retry_at))


def _retry_at(
    attempt: Attempt, answer: Reply, now: datetime, patience: Patience
) -> datetime | None:
    """Tell when an attempt is worth while to be taken further again."""
    if attempt.outcome is Outcome.UNKNOWN:
        # A wrong clock may have made it tomorrow: that is no reason to ask all the time.
        share = abs(now - attempt.created_at) / _LOOK_AFTER_SHARE
        most = patience.resend_window / _LOOKS_IN_WINDOW
        return now + max(min(share, most), _LOOK_AFTER_MIN)
    asked = answer.retry_after if isinstance(answer, Verdict) else None
    if attempt.outcome is not Outcome.TRANSIENT or asked is None:
        return None
    return now + min(asked, _RETRY_AFTER_MAX)


def _advance(walk: Walk, step: Step, answer: Reply, now: datetime, patience: Patience) -> Walk:
    attempt = changed(
        walk.attempt, request_count=walk.attempt.request_count + 1, sent_at=now, updated_at=now
    )
    if isinstance(answer, Created) and step is not Step.CANCEL and _makes(attempt):
        return _created(attempt, answer)
    counted = changed(
        walk,
        attempt=attempt,
        sends=walk.sends + (step is Step.SEND),
        fresh_keys=walk.fresh_keys + (step is Step.SEND_FRESH),
        looks=walk.looks + (step is Step.LOOK_UP),
        cancels=walk.cancels + (step is Step.CANCEL),
    )
    if step is Step.CANCEL:
        return _cancelled(counted, answer, can_look_up=patience.can_look_up)
    is_old = has_old_key(attempt, now, patience)
    match answer:
        case Opened():
            return _opened(counted, answer)
        case Absent() if attempt.stage is Stage.PAGE:  # a page that was there
            return changed(counted, seen=Seen.TOLD)
        case Created() | Absent():  # at a later stage Created means: there, and not confirmed
            return _absent(counted, is_old=is_old)
        case Verdict() if step is Step.LOOK_UP and _is_trouble(answer):
            return _look_up_failed(counted, answer)
        case Verdict():
            return _told(counted, answer)


def _makes(attempt: Attempt) -> bool:
    """Whether what is there now is to be confirmed next."""
    return attempt.stage in (Stage.CREATE, Stage.PAGE)


def _cancelled(walk: Walk, answer: Reply, *, can_look_up: bool) -> Walk:
    """Take in what became of a charge that was to be taken back: an end if the PSP says so. One
    that has only taken it in, and cannot be asked, leaves open whether the buyer was faster.
    """
    if (
        isinstance(answer, Verdict)
        and answer.outcome is Outcome.PENDING
        and walk.attempt.stage is not Stage.PAGE
        and not can_look_up
    ):
        left = Verdict(Outcome.UNKNOWN, reason=Reason.AUTHENTICATION_ABANDONED, trace=answer.trace)
        return changed(walk, attempt=with_verdict(walk.attempt, left), seen=Seen.TOLD)
    if not isinstance(answer, Verdict) or answer.about_request or not answer.outcome.is_final:
        return walk
    if answer.reason is Reason.PSP_CANCELLED and walk.attempt.stage is not Stage.PAGE:
        answer = changed(answer, reason=Reason.AUTHENTICATION_ABANDONED)
    return _told(walk, answer)


def _is_trouble(verdict: Verdict) -> bool:
    """Whether a look-up itself went wrong, which says nothing of the money."""
    return verdict.about_request or (verdict.outcome is Outcome.UNKNOWN and not verdict.is_alarm)


def _opened(walk: Walk, answer: Opened) -> Walk:
    """Put the page's id and address on disk together: nobody has the one without the other."""
    attempt = changed(
        walk.attempt,
        stage=Stage.PAGE,
        psp_reference=answer.reference,
        outcome=Outcome.ACTION_REQUIRED,
        delivery=Delivery.ANSWERED,
        redirect_url=answer.url or walk.attempt.redirect_url,
        page_expires_at=answer.expires_at,
        reason="",
        psp_code="",
        message="",
    )
    return changed(walk, attempt=attempt, seen=Seen.TOLD)


def _created(attempt: Attempt, answer: Created) -> Walk:
    attempt = changed(
        attempt,
        stage=Stage.CONFIRM,
        psp_reference=answer.reference,
        outcome=Outcome.PENDING,
        delivery=Delivery.ANSWERED,
        reason="",
        psp_code="",
        message="",
        redirect_url="",
    )
    return Walk(attempt, Seen.STORED)


def _absent(walk: Walk, *, is_old: bool) -> Walk:
    after_replay = walk.seen in (Seen.REPLAYED, Seen.ABSENT_AFTER_REPLAY)
    seen = Seen.ABSENT_AFTER_REPLAY if after_replay else Seen.ABSENT
    return changed(walk, attempt=_too_old(walk.attempt) if is_old else walk.attempt, seen=seen)


def _too_old(attempt: Attempt) -> Attempt:
    return changed(
        attempt,
        outcome=Outcome.UNKNOWN,
        reason=Reason.KEY_TOO_OLD.value,
        psp_code="",
        message=MESSAGES[Reason.KEY_TOO_OLD],
    )


def _look_up_failed(walk: Walk, verdict: Verdict) -> Walk:
    """Leave what the PSP said before, and call the rest unknown."""
    if walk.attempt.outcome is Outcome.ACTION_REQUIRED:
        return changed(walk, seen=Seen.TOLD)
    attempt = with_verdict(walk.attempt, changed(verdict, outcome=Outcome.UNKNOWN))
    return changed(walk, attempt=attempt, seen=Seen.TOLD)


def _told(walk: Walk, verdict: Verdict) -> Walk:
    if walk.attempt.stage is Stage.PAGE and verdict.reason is Reason.PSP_CANCELLED:
        verdict = changed(verdict, reason=Reason.PAGE_EXPIRED)
    if walk.in_doubt and verdict.about_request:
        verdict = changed(verdict, outcome=Outcome.UNKNOWN)
        return changed(walk, attempt=with_verdict(walk.attempt, verdict), seen=Seen.TOLD)
    if verdict.outcome is not Outcome.UNKNOWN or verdict.is_alarm:
        return changed(walk, attempt=with_verdict(walk.attempt, verdict), seen=Seen.TOLD)
    return changed(
        walk,
        attempt=with_verdict(walk.attempt, verdict),
        seen=Seen.REPLAYED if verdict.is_replay else Seen.DOUBT,
        in_doubt=walk.attempt.stage not in MAKES_AN_OBJECT,
    )


def with_verdict(attempt: Attempt, verdict: Verdict) -> Attempt:
    """Put what a PSP said of an attempt into it."""
    is_sure = verdict.outcome is Outcome.TRANSIENT or verdict.delivery is not Delivery.NOT_SENT
    reference = attempt.psp_reference or verdict.reference
    if attempt.stage is Stage.PAGE and verdict.outcome.is_final:
        reference = verdict.reference or reference  # what was paid on the page, not the page
    reason, message = verdict.reason, verdict.message
    if reason is Reason.CARD_DECLINED and attempt.method is Method.BANK_DEBIT:
        reason = Reason.DEBIT_RETURNED  # what PSPs tell of a card and a debit in the same words
        message = MESSAGES[reason]
    return changed(
        attempt,
        outcome=verdict.outcome,
        delivery=verdict.delivery if is_sure else Delivery.SENT_NO_ANSWER,
        psp_reference=reference,
        reason=reason.value if reason else "",
        psp_code=verdict.psp_code,
        message=message,
        redirect_url=verdict.redirect_url,
        expires_at=held_until(attempt, verdict),
    )


def held_until(attempt: Attempt, verdict: Verdict) -> datetime | None:
    """Tell until when at least an amount is held, also where the PSP does not."""
    is_held = attempt.kind is Kind.AUTHORIZATION and verdict.outcome is Outcome.SUCCEEDED
    return verdict.expires_at or (attempt.updated_at + _HOLD_MIN if is_held else None)
