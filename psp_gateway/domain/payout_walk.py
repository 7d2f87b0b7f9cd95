"""What to do next for a payout: pure functions of what is stored, what was just seen, and now.

A payout is not once by the state of an object at the PSP: only its key keeps it from being paid
twice. So there is one key, sent no later than the PSP surely knows it, and never another.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto

from psp_gateway.domain.answer import Answer, Verdict, unusable
from psp_gateway.domain.attempt import Delivery, Outcome
from psp_gateway.domain.payout import Payout, State
from psp_gateway.domain.reasons import Reason

_SENDS_MAX = 2
_LOOKS_MAX = 3
_TOO_OLD = Verdict(Outcome.UNKNOWN, reason=Reason.KEY_TOO_OLD)


class Seen(Enum):
    """What is known of the request."""

    STORED = auto()  # this walk stored it: nothing that may have done anything has been sent
    RESUMED = auto()  # read from the store: it may have been sent
    DOUBT = auto()  # sent, without an answer that tells
    REPLAYED = auto()  # the PSP repeats a stored error for the key
    ABSENT = auto()  # looked up: not there
    SPENT = auto()  # the same, and the key is spent on an error: a person must look
    TOLD = auto()  # the PSP told; there is nothing more to ask now


class Step(Enum):
    """What to do."""

    SEND = auto()  # the request, under its key
    LOOK_UP = auto()
    ANSWER = auto()


@dataclass(frozen=True, slots=True)
class Patience:
    """How long, at one PSP.

    Attributes:
        resend_window: how long the key may be sent again: half of what the PSP keeps it, since a
            repetition under a forgotten key is a new payout.
        can_find: whether a payout whose reference is not known can be found by our own id.
        pause: how long an unfinished payout rests before the PSP is asked again.
        paid_pause: how long one rests that is paid, and may come back.
        watched_for: how long one that is paid is asked about at all.
    """

    resend_window: timedelta
    can_find: bool
    pause: timedelta = timedelta(seconds=0.4)
    paid_pause: timedelta = timedelta(hours=1)
    watched_for: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class PayoutWalk:
    """One go at a payout.

    Attributes:
        in_doubt: an earlier request may yet have moved the money, so that only what the PSP says
            of the payout counts, and not what it says of a request.
    """

    payout: Payout
    seen: Seen
    in_doubt: bool = False
    sends: int = 0
    looks: int = 0


def is_due(payout: Payout, now: datetime, patience: Patience) -> bool:
    """Whether a stored payout is to be taken further now, or answered as it stands."""
    if payout.state.is_over:
        return False
    rested = now - (payout.sent_at or payout.updated_at)
    if payout.state is State.PAID:
        since = now - (payout.paid_at or payout.updated_at)
        return rested >= patience.paid_pause and since < patience.watched_for
    return rested >= patience.pause


def resume(payout: Payout, now: datetime, patience: Patience) -> PayoutWalk:
    """Take up a stored payout; the walk must store it before it sends anything."""
    if payout.state is not State.TRANSIENT:
        if _is_lost(payout, now, patience):
            return PayoutWalk(payout.told(_TOO_OLD, now), Seen.TOLD, in_doubt=True)
        return PayoutWalk(payout, Seen.RESUMED, in_doubt=True)
    again = replace(
        payout,
        state=State.PENDING,
        delivery=Delivery.SENT_NO_ANSWER,
        reason="",
        psp_code="",
        message="",
        key_since=now,
        updated_at=now,
    )
    return PayoutWalk(again, Seen.STORED)


def decide(walk: PayoutWalk, now: datetime, patience: Patience) -> Step:
    """Choose the next step. A walk ends: each kind of step is taken a few times at most."""
    step = _next(walk, now, patience)
    if step is Step.SEND and walk.sends >= _SENDS_MAX:
        return Step.ANSWER
    if step is Step.LOOK_UP and walk.looks >= _LOOKS_MAX:
        return Step.ANSWER
    return step


def _next(walk: PayoutWalk, now: datetime, patience: Patience) -> Step:
    payout = walk.payout
    if walk.seen in (Seen.TOLD, Seen.SPENT) or payout.state.is_over:
        return Step.ANSWER
    can_look_up = _can_look_up(payout, patience)
    if payout.state.is_accepted:
        return Step.LOOK_UP if can_look_up else Step.ANSWER
    if walk.seen is Seen.STORED:
        return Step.SEND
    # What is known by the PSP's id is there, whatever became of it: it is never sent again.
    may_send = not _is_old(payout, now, patience) and not payout.psp_reference
    if walk.seen is Seen.ABSENT:
        return Step.SEND if may_send else Step.ANSWER
    if can_look_up:
        return Step.LOOK_UP
    return Step.SEND if may_send and walk.seen is not Seen.REPLAYED else Step.ANSWER


def _can_look_up(payout: Payout, patience: Patience) -> bool:
    return patience.can_find or bool(payout.psp_reference)


def _is_lost(payout: Payout, now: datetime, patience: Patience) -> bool:
    """Whether there is no way left to ask what became of a payout."""
    is_open = not payout.state.is_accepted and not payout.state.is_over
    return is_open and _is_old(payout, now, patience) and not _can_look_up(payout, patience)


def _is_old(payout: Payout, now: datetime, patience: Patience) -> bool:
    """Whether the key is not sent again. A clock that went back makes it old too."""
    return not timedelta(0) <= now - payout.key_since < patience.resend_window


def advance(
    walk: PayoutWalk, step: Step, answer: Answer, now: datetime, patience: Patience
) -> PayoutWalk:
    """Take in the answer to a step. The payout of the new walk is to be stored before going on."""
    payout = replace(
        walk.payout, request_count=walk.payout.request_count + 1, sent_at=now, updated_at=now
    )
    counted = replace(
        walk,
        payout=payout,
        sends=walk.sends + (step is Step.SEND),
        looks=walk.looks + (step is Step.LOOK_UP),
    )
    if not isinstance(answer, Verdict):
        return _absent(counted, answer.trace, now, patience)
    if step is Step.LOOK_UP:
        return _looked(counted, answer, now)
    return _sent(counted, answer, now)


def _absent(walk: PayoutWalk, trace: str, now: datetime, patience: Patience) -> PayoutWalk:
    payout = walk.payout
    if payout.state.is_accepted or payout.psp_reference:
        # It was there: a look-up that does not find it says nothing.
        return replace(walk, seen=Seen.TOLD)
    if walk.seen in (Seen.REPLAYED, Seen.SPENT):
        return replace(walk, payout=payout.told(unusable(trace), now), seen=Seen.SPENT)
    if _is_old(payout, now, patience):
        return replace(walk, payout=payout.told(_TOO_OLD, now), seen=Seen.ABSENT)
    return replace(walk, seen=Seen.ABSENT)


def _looked(walk: PayoutWalk, verdict: Verdict, now: datetime) -> PayoutWalk:
    """Take in a look-up; one that went wrong says nothing of the money, but ends this go."""
    is_trouble = verdict.about_request or verdict.outcome in (Outcome.UNKNOWN, Outcome.TRANSIENT)
    if is_trouble and not verdict.is_alarm:
        verdict = replace(verdict, outcome=Outcome.UNKNOWN)
    return replace(walk, payout=walk.payout.told(verdict, now), seen=Seen.TOLD)


def _sent(walk: PayoutWalk, verdict: Verdict, now: datetime) -> PayoutWalk:
    if walk.in_doubt and (verdict.about_request or verdict.outcome is Outcome.TRANSIENT):
        verdict = replace(verdict, outcome=Outcome.UNKNOWN)
        return replace(walk, payout=walk.payout.told(verdict, now), seen=Seen.TOLD)
    payout = walk.payout.told(verdict, now)
    if verdict.outcome is not Outcome.UNKNOWN or verdict.is_alarm:
        return replace(walk, payout=payout, seen=Seen.TOLD)
    seen = Seen.REPLAYED if verdict.is_replay else Seen.DOUBT
    return replace(walk, payout=payout, seen=seen, in_doubt=True)
