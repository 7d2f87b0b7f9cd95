"""What to do next for an attempt: pure functions of what is stored, what was just seen, and now.

Two facts carry it. Creating the PSP's object moves no money, and only the one object whose id is
committed is ever confirmed. Confirming an object succeeds at most once, by the object's own state.
A page is such an object, which the buyer confirms: its address is given away once its id is
committed, and it is paid once at most.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from psp_gateway.domain.answer import Absent, Created, Verdict
from psp_gateway.domain.attempt import Attempt, Delivery, Kind, Method, Outcome, Stage
from psp_gateway.domain.changed import changed
from psp_gateway.domain.hosted_page import PAGE_GRACE, Opened, Reply
from psp_gateway.domain.reasons import MESSAGES, Reason

_SENDS_MAX = 2
_FRESH_KEYS_MAX = 1
_LOOKS_MAX = 3
# Cards are held for seven days at least, everywhere that we know of.
_HOLD_MIN = timedelta(days=7)

# What these ask for moves no money: sent again under the same key, it is at most one object.
MAKES_AN_OBJECT = frozenset({Stage.CREATE, Stage.OPEN})


class Seen(Enum):
    """What is known of the present stage."""

    STORED = auto()  # this walk stored it: nothing of it has been sent
    RESUMED = auto()  # read from the store: it may have been sent
    DOUBT = auto()  # sent, without an answer that tells
    REPLAYED = auto()  # the PSP repeats a stored error for the key
    ABSENT = auto()  # looked up: not there, or not confirmed
    ABSENT_AFTER_REPLAY = auto()  # the same, and the key is spent
    TOLD = auto()  # the PSP told; there is nothing more to ask now


class Step(Enum):
    """What to do."""

    SEND = auto()  # the stage's request, under its key
    SEND_FRESH = auto()  # the same under a key of its own
    LOOK_UP = auto()
    CANCEL = auto()  # take back what waits for a buyer who does not come
    ANSWER = auto()


@dataclass(frozen=True, slots=True)
class Patience:
    """How long, at one PSP.

    Attributes:
        resend_window: how long a key may be sent again: half of what the PSP keeps it, since a
            repetition under a forgotten key is a new request.
        can_look_up: whether it can be asked what became of a request. Where it cannot, the same
            request under the same key is the only question; what was accepted then is told by the
            PSP, unasked.
        pause: how long an unfinished attempt rests before the PSP is asked again.
        abandon_after: how old a charge is that its buyer has abandoned.
    """

    resend_window: timedelta
    can_look_up: bool = True
    pause: timedelta = timedelta(seconds=0.4)
    abandon_after: timedelta = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Walk:
    """One go at an attempt.

    Attributes:
        in_doubt: an earlier request may yet have moved the money, so that only what the PSP says
            of the object counts, and not what it says of a request.
    """

    attempt: Attempt
    seen: Seen
    in_doubt: bool = False
    sends: int = 0
    fresh_keys: int = 0
    looks: int = 0
    cancels: int = 0


def is_due(attempt: Attempt, now: datetime, patience: Patience) -> bool:
    """Whether a stored attempt is to be taken further now, or answered as it stands."""
    rested = now - (attempt.sent_at or attempt.updated_at) >= patience.pause
    can_look_up = patience.can_look_up or attempt.stage is Stage.PAGE
    is_told_unasked = not can_look_up and attempt.delivery is Delivery.ANSWERED
    waits = attempt.outcome in (Outcome.PENDING, Outcome.ACTION_REQUIRED)
    waits = attempt.is_left_behind or (waits and not _is_late(attempt, now, patience))
    return rested and not attempt.outcome.is_final and not (is_told_unasked and waits)


def lapse(attempt: Attempt, now: datetime) -> Attempt | None:
    """End an attempt whose page should have closed before it was ever opened; None for others.
    Whatever the PSP made of the requests, nobody has the address.
    """
    if attempt.stage is not Stage.OPEN or attempt.page_expires_at is None:
        return None
    if attempt.outcome.is_final or now < attempt.page_expires_at:
        return None
    ended = Verdict(Outcome.DECLINED, attempt.delivery, reason=Reason.PAGE_EXPIRED)
    return changed(_with(attempt, ended), updated_at=now)


def give_up(attempt: Attempt, now: datetime) -> Attempt | None:
    """End an attempt that came to nothing, since nobody will ask for it again; None for others."""
    if attempt.outcome is not Outcome.TRANSIENT:
        return None
    message = "The PSP could not take the charge; nothing was charged."
    return changed(attempt, outcome=Outcome.DECLINED, message=message, updated_at=now)


def resume(attempt: Attempt, now: datetime) -> Walk:
    """Take up a stored attempt; the walk must store it before it sends anything."""
    if attempt.outcome is not Outcome.TRANSIENT:
        return Walk(attempt, Seen.RESUMED, in_doubt=attempt.stage not in MAKES_AN_OBJECT)
    again = changed(
        attempt,
        outcome=Outcome.PENDING,
        delivery=Delivery.SENT_NO_ANSWER,
        reason="",
        psp_code="",
        message="",
        updated_at=now,
    )
    return Walk(again, Seen.STORED)


def decide(walk: Walk, now: datetime, patience: Patience) -> Step:
    """Choose the next step. A walk ends: each kind of step is taken a few times at most."""
    if walk.attempt.outcome.is_final:
        return Step.ANSWER
    if _is_late(walk.attempt, now, patience):
        return Step.ANSWER if walk.cancels else Step.CANCEL
    if walk.seen is Seen.TOLD:
        return Step.CANCEL if _is_abandoned(walk, now, patience) else Step.ANSWER
    step = _next(walk, is_old=_is_old(walk.attempt, now, patience), at=patience)
    taken, most = {
        Step.SEND: (walk.sends, _SENDS_MAX),
        Step.SEND_FRESH: (walk.fresh_keys, _FRESH_KEYS_MAX),
        Step.LOOK_UP: (walk.looks, _LOOKS_MAX),
        Step.ANSWER: (0, 1),
    }[step]
    return step if taken < most else Step.ANSWER


def _is_old(attempt: Attempt, now: datetime, patience: Patience) -> bool:
    """Whether keys are not sent again: too long after the first request under them, or, for what is
    confirmed after its page, after the last moment at which the page could lead to it.
    """
    after_page = attempt.stage is Stage.CONFIRM and attempt.page_expires_at is not None
    since = attempt.page_expires_at if after_page else attempt.created_at
    return now - (since or attempt.created_at) >= patience.resend_window


def _is_late(attempt: Attempt, now: datetime, patience: Patience) -> bool:
    """Whether a buyer had long enough at a PSP that cannot be asked whether it still waits."""
    waits = attempt.outcome is Outcome.ACTION_REQUIRED and attempt.stage is Stage.CONFIRM
    is_old = now - attempt.created_at >= patience.abandon_after
    return waits and is_old and not patience.can_look_up


def _is_abandoned(walk: Walk, now: datetime, patience: Patience) -> bool:
    """Whether the PSP has just said that it waits for a buyer who had long enough."""
    attempt = walk.attempt
    if attempt.outcome is not Outcome.ACTION_REQUIRED or walk.cancels:
        return False
    if attempt.stage is Stage.PAGE and attempt.page_expires_at is not None:
        return now >= attempt.page_expires_at + PAGE_GRACE
    return patience.can_look_up and now - attempt.created_at >= patience.abandon_after


def _next(walk: Walk, *, is_old: bool, at: Patience) -> Step:
    if walk.attempt.stage is Stage.PAGE:
        return Step.LOOK_UP  # whatever else the PSP tells or not, it knows its page
    if walk.attempt.stage is Stage.OPEN:
        # Another page under another key is safe: nobody has the address of one that is not stored.
        is_spent = is_old or walk.seen is Seen.REPLAYED
        return Step.SEND_FRESH if is_spent else Step.SEND
    return _step(walk, is_old=is_old) if at.can_look_up else _resend(walk, is_old=is_old)


def _step(walk: Walk, *, is_old: bool) -> Step:
    stage, seen = walk.attempt.stage, walk.seen
    if seen in (Seen.ABSENT, Seen.ABSENT_AFTER_REPLAY):
        if is_old:
            return Step.ANSWER
        if seen is Seen.ABSENT:
            return Step.SEND
        # A refund is not once by state, nor is a capture that others may follow: under another key
        # it would be another one.
        is_once = stage is not Stage.REFUND and walk.attempt.is_final
        return Step.SEND_FRESH if is_once else Step.ANSWER
    if is_old or seen is Seen.REPLAYED:
        return Step.LOOK_UP
    if seen is Seen.STORED or stage is Stage.CREATE:
        return Step.SEND
    return Step.LOOK_UP


def _resend(walk: Walk, *, is_old: bool) -> Step:
    """Ask a PSP that has no look-up: the same request under the same key answers as the first time,
    or is the first.
    """
    spent = walk.seen in (Seen.REPLAYED, Seen.ABSENT, Seen.ABSENT_AFTER_REPLAY)
    return Step.ANSWER if is_old or spent else Step.SEND


def advance(walk: Walk, step: Step, answer: Reply, now: datetime, patience: Patience) -> Walk:
    """Take in the answer to a step. The attempt of the new walk is to be stored before going on."""
    attempt = changed(
        walk.attempt, request_count=walk.attempt.request_count + 1, sent_at=now, updated_at=now
    )
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
    is_old = _is_old(attempt, now, patience)
    match answer:
        case Opened():
            return _opened(counted, answer)
        case Created() if attempt.stage in (Stage.CREATE, Stage.PAGE):
            return _created(attempt, answer)
        case Absent() if attempt.stage is Stage.PAGE:  # a page that was there
            return changed(counted, seen=Seen.TOLD)
        case Created() | Absent():  # at a later stage Created means: there, and not confirmed
            return _absent(counted, is_old=is_old)
        case Verdict() if step is Step.LOOK_UP and _is_trouble(answer):
            return _look_up_failed(counted, answer)
        case Verdict():
            return _told(counted, answer)


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
        return changed(walk, attempt=_with(walk.attempt, left), seen=Seen.TOLD)
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
    attempt = _with(walk.attempt, changed(verdict, outcome=Outcome.UNKNOWN))
    return changed(walk, attempt=attempt, seen=Seen.TOLD)


def _told(walk: Walk, verdict: Verdict) -> Walk:
    if walk.attempt.stage is Stage.PAGE and verdict.reason is Reason.PSP_CANCELLED:
        verdict = changed(verdict, reason=Reason.PAGE_EXPIRED)
    if walk.in_doubt and verdict.about_request:
        verdict = changed(verdict, outcome=Outcome.UNKNOWN)
        return changed(walk, attempt=_with(walk.attempt, verdict), seen=Seen.TOLD)
    if verdict.outcome is not Outcome.UNKNOWN or verdict.is_alarm:
        return changed(walk, attempt=_with(walk.attempt, verdict), seen=Seen.TOLD)
    return changed(
        walk,
        attempt=_with(walk.attempt, verdict),
        seen=Seen.REPLAYED if verdict.is_replay else Seen.DOUBT,
        in_doubt=walk.attempt.stage not in MAKES_AN_OBJECT,
    )


def rerouted(attempt: Attempt, psp: str, stage: Stage) -> Attempt:
    """Give an attempt that moved nothing at its PSP, by that PSP's own word or since nothing was
    sent, to another one.
    """
    return changed(
        attempt,
        psp=psp,
        psps_tried=(*attempt.psps_tried, attempt.psp),
        stage=stage,
        outcome=Outcome.PENDING,
        delivery=Delivery.SENT_NO_ANSWER,
        psp_reference="",
        reason="",
        psp_code="",
        message="",
        redirect_url="",
        expires_at=None,
    )


def may_go_elsewhere(attempt: Attempt, answer: Reply) -> bool:
    """Whether another PSP may be asked instead: nothing can come of what this one was asked."""
    if not isinstance(answer, Verdict) or not attempt.kind.is_first:
        return False
    if attempt.outcome is Outcome.DECLINED:
        return answer.may_go_elsewhere
    never_sent = attempt.delivery is Delivery.NOT_SENT and not attempt.psp_reference
    return attempt.outcome is Outcome.TRANSIENT and never_sent


def _with(attempt: Attempt, verdict: Verdict) -> Attempt:
    is_sure = verdict.outcome is Outcome.TRANSIENT or verdict.delivery is not Delivery.NOT_SENT
    reference = attempt.psp_reference or verdict.reference
    if attempt.stage is Stage.PAGE and verdict.outcome.is_final:
        reference = verdict.reference or reference  # what was paid on the page, not the page
    reason = verdict.reason
    if reason is Reason.CARD_DECLINED and attempt.method is Method.BANK_DEBIT:
        reason = Reason.DEBIT_RETURNED  # what PSPs tell of a card and a debit in the same words
    return changed(
        attempt,
        outcome=verdict.outcome,
        delivery=verdict.delivery if is_sure else Delivery.SENT_NO_ANSWER,
        psp_reference=reference,
        reason=reason.value if reason else "",
        psp_code=verdict.psp_code,
        message=MESSAGES[reason] if reason else "",
        redirect_url=verdict.redirect_url,
        expires_at=_held_until(attempt, verdict),
    )


def _held_until(attempt: Attempt, verdict: Verdict) -> datetime | None:
    """Tell until when at least an amount is held, also where the PSP does not."""
    is_held = attempt.kind is Kind.AUTHORIZATION and verdict.outcome is Outcome.SUCCEEDED
    return verdict.expires_at or (attempt.updated_at + _HOLD_MIN if is_held else None)
