"""The decision table, over every state that a walk can be in."""

from dataclasses import replace
from datetime import timedelta
from functools import cache
from itertools import product

import pytest

from psp_gateway.domain.answer import (
    Absent,
    Created,
    Verdict,
    alarm,
    no_answer,
    not_sent,
    unusable,
)
from psp_gateway.domain.answered import advance
from psp_gateway.domain.attempt import Delivery, Outcome, Stage
from psp_gateway.domain.hosted_page import Opened, Reply
from psp_gateway.domain.reasons import Reason
from psp_gateway.domain.walk import Patience, Seen, Step, Walk, decide, is_due, resume
from tests.builders import NOW
from tests.unit.psp_gateway.test_take_further import new_charge

PATIENCE = Patience(timedelta(hours=12))
YOUNG = NOW + timedelta(hours=12) - timedelta(microseconds=1)
OLD = NOW + timedelta(hours=12)

ANSWERS: tuple[Reply, ...] = (
    Created("pi_1"),
    Opened("cs_1", "https://psp.example/cs_1", NOW + timedelta(hours=1)),
    Absent(),
    not_sent(),
    no_answer(),
    unusable("500"),
    unusable("500", is_replay=True),
    alarm("200", Reason.AMOUNT_MISMATCH),
    Verdict(Outcome.TRANSIENT, reason=Reason.PSP_RATE_LIMITED, about_request=True),
    Verdict(Outcome.DECLINED, reason=Reason.PSP_REQUEST_INVALID, about_request=True),
    Verdict(Outcome.DECLINED, reference="pi_1", reason=Reason.CARD_DECLINED),
    Verdict(Outcome.SUCCEEDED, reference="pi_1"),
    Verdict(Outcome.PENDING, reference="pi_1"),
    Verdict(Outcome.ACTION_REQUIRED, reference="pi_1"),
)


def at(stage: Stage, seen: Seen) -> Walk:
    """Make a walk."""
    return Walk(replace(new_charge(), stage=stage), seen)


TABLE = {
    # OPEN moves no money, and nobody has the address of a page that is not stored: what is spent is
    # opened anew.
    **{(Stage.OPEN, seen): Step.SEND for seen in Seen},
    (Stage.OPEN, Seen.REPLAYED): Step.SEND_FRESH,
    (Stage.OPEN, Seen.TOLD): Step.ANSWER,
    # At the PAGE it is the buyer who acts: the PSP is only asked.
    **{(Stage.PAGE, seen): Step.LOOK_UP for seen in Seen},
    (Stage.PAGE, Seen.TOLD): Step.ANSWER,
    # CREATE moves no money: it is repeated under its key, and listed when the key is spent.
    (Stage.CREATE, Seen.STORED): Step.SEND,
    (Stage.CREATE, Seen.RESUMED): Step.SEND,
    (Stage.CREATE, Seen.DOUBT): Step.SEND,
    (Stage.CREATE, Seen.REPLAYED): Step.LOOK_UP,
    (Stage.CREATE, Seen.ABSENT): Step.SEND,
    (Stage.CREATE, Seen.ABSENT_AFTER_REPLAY): Step.SEND_FRESH,
    (Stage.CREATE, Seen.TOLD): Step.ANSWER,
    # CONFIRM moves money once by state: it is read, and repeated only when it was not confirmed.
    (Stage.CONFIRM, Seen.STORED): Step.SEND,
    (Stage.CONFIRM, Seen.RESUMED): Step.LOOK_UP,
    (Stage.CONFIRM, Seen.DOUBT): Step.LOOK_UP,
    (Stage.CONFIRM, Seen.REPLAYED): Step.LOOK_UP,
    (Stage.CONFIRM, Seen.ABSENT): Step.SEND,
    (Stage.CONFIRM, Seen.ABSENT_AFTER_REPLAY): Step.SEND_FRESH,
    (Stage.CONFIRM, Seen.TOLD): Step.ANSWER,
    # CAPTURE and VOID end a hold once by state: as CONFIRM.
    **{
        (stage, seen): step
        for stage in (Stage.CAPTURE, Stage.VOID)
        for seen, step in {
            Seen.STORED: Step.SEND,
            Seen.RESUMED: Step.LOOK_UP,
            Seen.DOUBT: Step.LOOK_UP,
            Seen.REPLAYED: Step.LOOK_UP,
            Seen.ABSENT: Step.SEND,
            Seen.ABSENT_AFTER_REPLAY: Step.SEND_FRESH,
            Seen.TOLD: Step.ANSWER,
        }.items()
    },
    # REFUND moves money once by key alone: it has no other key.
    (Stage.REFUND, Seen.STORED): Step.SEND,
    (Stage.REFUND, Seen.RESUMED): Step.LOOK_UP,
    (Stage.REFUND, Seen.DOUBT): Step.LOOK_UP,
    (Stage.REFUND, Seen.REPLAYED): Step.LOOK_UP,
    (Stage.REFUND, Seen.ABSENT): Step.SEND,
    (Stage.REFUND, Seen.ABSENT_AFTER_REPLAY): Step.ANSWER,
    (Stage.REFUND, Seen.TOLD): Step.ANSWER,
}


@pytest.mark.parametrize(("stage", "seen"), list(product(Stage, Seen)))
def test_what_is_next(stage: Stage, seen: Seen) -> None:
    """Each stage and sight has one next step while the key is young."""
    assert decide(at(stage, seen), YOUNG, PATIENCE) is TABLE[stage, seen]


@pytest.mark.parametrize(("stage", "seen"), list(product(Stage, Seen)))
def test_an_old_key_is_looked_up_only(stage: Stage, seen: Seen) -> None:
    """From half of the retention on nothing is sent, whatever was seen; but a page is opened under
    another key, which moves nothing.
    """
    harmless = {Step.SEND_FRESH} if stage is Stage.OPEN else set()
    assert decide(at(stage, seen), OLD, PATIENCE) in {Step.LOOK_UP, Step.ANSWER} | harmless


@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.DECLINED])
def test_what_is_final_is_answered(outcome: Outcome) -> None:
    """Nothing is asked about a final outcome, now or later."""
    for stage, seen, now in product(Stage, Seen, (YOUNG, OLD)):
        walk = at(stage, seen)
        walk = replace(walk, attempt=replace(walk.attempt, outcome=outcome))

        assert decide(walk, now, PATIENCE) is Step.ANSWER
        assert not is_due(walk.attempt, now, PATIENCE)


def in_words(walk: Walk) -> Walk:
    """Leave out of a walk what no decision looks at, so that equal states are met once."""
    return replace(walk, attempt=replace(walk.attempt, request_count=0, sent_at=None))


def starts() -> list[Walk]:
    """Every way in which a walk begins."""
    stored = [replace(new_charge(), stage=stage) for stage in Stage]
    resumed = [
        resume(replace(attempt, outcome=outcome), YOUNG)
        for attempt, outcome in product(stored, Outcome)
        if not outcome.is_final
    ]
    return [*(Walk(attempt, Seen.STORED) for attempt in stored), *resumed]


def test_every_walk_ends_in_an_outcome_that_holds() -> None:
    """Over every answer at every step a walk ends soon, at an outcome that has not been overtaken
    by a doubt.
    """

    @cache
    def longest(walk: Walk) -> int:
        step = decide(walk, YOUNG, PATIENCE)
        if step is Step.ANSWER:
            assert not (walk.in_doubt and walk.attempt.outcome is Outcome.TRANSIENT)
            return 0
        return 1 + max(
            longest(in_words(advance(walk, step, answer, YOUNG, PATIENCE))) for answer in ANSWERS
        )

    assert max(longest(in_words(walk)) for walk in starts()) <= 12


def test_what_did_not_happen_may_happen_now() -> None:
    """A TRANSIENT attempt that is tried again no longer says that nothing happened, nor that
    nothing was sent.
    """
    before = advance(at(Stage.CONFIRM, Seen.STORED), Step.SEND, not_sent(), NOW, PATIENCE).attempt

    again = resume(before, YOUNG)

    assert (before.outcome, before.delivery) == (Outcome.TRANSIENT, Delivery.NOT_SENT)
    assert (again.attempt.outcome, again.attempt.delivery, again.attempt.reason) == (
        Outcome.PENDING,
        Delivery.SENT_NO_ANSWER,
        "",
    )
    assert decide(again, YOUNG, PATIENCE) is Step.SEND


def test_nothing_is_sent_while_an_old_attempt_is_walked() -> None:
    """However the look-ups go, an old attempt is never sent; one whose buyer must act still is
    taken back.
    """

    def walked(walk: Walk) -> None:
        step = decide(walk, OLD, PATIENCE)
        waits = walk.attempt.outcome is Outcome.ACTION_REQUIRED
        opens = step is Step.SEND_FRESH and walk.attempt.stage is Stage.OPEN
        assert step in (Step.LOOK_UP, Step.ANSWER) or opens or (step is Step.CANCEL and waits)
        if step is Step.ANSWER:
            return
        for answer in ANSWERS:
            walked(advance(walk, step, answer, OLD, PATIENCE))

    for start in starts():
        walked(start)


def test_what_a_wrong_clock_sent_tomorrow_is_due() -> None:
    """An attempt does not stand still for the day by which another process's clock was ahead."""
    ahead = replace(new_charge(), outcome=Outcome.UNKNOWN, sent_at=NOW + timedelta(days=1))

    assert is_due(ahead, NOW, PATIENCE)
    assert not is_due(replace(ahead, sent_at=NOW + PATIENCE.pause / 2), NOW, PATIENCE)
