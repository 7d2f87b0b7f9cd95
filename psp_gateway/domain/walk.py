"""What to do next for an attempt: pure functions of what is stored, what was just seen, and now.

Two facts carry it. Creating the PSP's object moves no money, and only the one object whose id is
committed is ever confirmed. Confirming an object succeeds at most once, by the object's own state.
A page is such an object, which the buyer confirms: its address is given away once its id is
committed, and it is paid once at most.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from chassis.changed import changed
from psp_gateway.domain.attempt import Attempt, Delivery, Outcome, Stage
from psp_gateway.domain.hosted_page import PAGE_GRACE

_SENDS_MAX = 2
_FRESH_KEYS_MAX = 1
_LOOKS_MAX = 3

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

    @property
    def requests(self) -> int:
        """How many were made for the present stage, cancels apart."""
        return self.sends + self.fresh_keys + self.looks


def is_due(attempt: Attempt, now: datetime, patience: Patience) -> bool:
    """Whether a stored attempt is to be taken further now, or answered as it stands."""
    # What is said to be sent long after now was sent by a clock that was wrong.
    rested = abs(now - (attempt.sent_at or attempt.updated_at)) >= patience.pause
    can_look_up = patience.can_look_up or attempt.stage is Stage.PAGE
    is_told_unasked = not can_look_up and attempt.delivery is Delivery.ANSWERED
    waits = attempt.outcome in (Outcome.PENDING, Outcome.ACTION_REQUIRED)
    if attempt.outcome is Outcome.TRANSIENT and attempt.retry_at is not None:
        rested = rested and now >= attempt.retry_at
    waits = attempt.is_left_behind or (waits and not _is_late(attempt, now, patience))
    return rested and not attempt.outcome.is_final and not (is_told_unasked and waits)


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
        retry_at=None,
    )
    return Walk(again, Seen.STORED)


def is_repetition(attempt: Attempt) -> bool:
    """Whether to take a stored attempt further is to ask for something again: not when its PSP has
    answered and only waits.
    """
    in_trouble = attempt.outcome in (Outcome.UNKNOWN, Outcome.TRANSIENT)
    return in_trouble or attempt.delivery is not Delivery.ANSWERED


def decide(walk: Walk, now: datetime, patience: Patience) -> Step:
    """Choose the next step. A walk ends: each kind of step is taken a few times at most."""
    if walk.attempt.outcome.is_final:
        return Step.ANSWER
    if _is_late(walk.attempt, now, patience):
        return Step.ANSWER if walk.cancels else Step.CANCEL
    if walk.seen is Seen.TOLD:
        return Step.CANCEL if _is_abandoned(walk, now, patience) else Step.ANSWER
    step = _next(walk, is_old=has_old_key(walk.attempt, now, patience), at=patience)
    is_spent = (
        (step is Step.SEND and walk.sends >= _SENDS_MAX)
        or (step is Step.SEND_FRESH and walk.fresh_keys >= _FRESH_KEYS_MAX)
        or (step is Step.LOOK_UP and walk.looks >= _LOOKS_MAX)
    )
    return Step.ANSWER if is_spent else step


def has_old_key(attempt: Attempt, now: datetime, patience: Patience) -> bool:
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
