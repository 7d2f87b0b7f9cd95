"""Disputes are followed: what a PSP says of one, and when; late, lost and repeated."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psp_gateway.dispute_ports import Heard
from psp_gateway.domain.answer import Absent, alarm, no_answer
from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.dispute import (
    MOVES,
    Backwards,
    News,
    Source,
    Stage,
    Status,
    follows,
    opened,
)
from psp_gateway.domain.inbox import State
from psp_gateway.domain.reasons import Reason
from psp_gateway.use_cases.follow_disputes import charge_of, follow_dispute
from tests.builders import NOW
from tests.unit.psp_gateway.dispute_desk import OPENED, Desk, charged, opened_desk, standing, told
from tests.unit.psp_gateway.test_take_further import new_refund

# What Stripe's disputes go through: docs.stripe.com/disputes/how-disputes-work.
COURSES: Sequence[Sequence[tuple[Stage, Status, bool]]] = (
    (OPENED, (Stage.CHARGEBACK, Status.UNDER_REVIEW, True), (Stage.CHARGEBACK, Status.WON, False)),
    (OPENED, (Stage.CHARGEBACK, Status.LOST, True), (Stage.CHARGEBACK, Status.WON, False)),
    (
        (Stage.INQUIRY, Status.NEEDS_RESPONSE, False),
        (Stage.INQUIRY, Status.UNDER_REVIEW, False),
        OPENED,
        (Stage.CHARGEBACK, Status.LOST, True),
        (Stage.PRE_ARBITRATION, Status.NEEDS_RESPONSE, True),
        (Stage.CHARGEBACK, Status.WON, False),
    ),
    ((Stage.INQUIRY, Status.NEEDS_RESPONSE, False), (Stage.INQUIRY, Status.CLOSED, False)),
)


@settings(deadline=None)
@given(st.sampled_from(COURSES), st.data())
def test_events_late_lost_and_repeated_end_as_the_psp_stands(
    course: Sequence[tuple[Stage, Status, bool]], data: st.DataObject
) -> None:
    """However many events come at whichever moments, the last one read tells how it stands; what
    was never said is not missed.
    """
    desk = Desk()
    for each in course:
        desk.psp.now = standing(*each)
        for number in range(data.draw(st.integers(0, 2))):
            assert desk.follow(told(number)).state is State.APPLIED
    assert desk.follow(told(99)).state is State.APPLIED

    found = desk.only()
    assert (found.status, found.is_money_withdrawn) == course[-1][1:]
    assert len(found.history) <= len(course)


def test_of_two_who_read_at_once_the_later_word_stands() -> None:
    """Who was overtaken asks again, so that an older word is never stored over a newer one."""
    desk = opened_desk()
    older, newer = standing(Stage.CHARGEBACK, Status.UNDER_REVIEW), standing(*COURSES[0][2])
    desk.psp.now = newer
    desk.psp.says = [older, newer]

    async def both() -> None:
        await asyncio.gather(
            follow_dispute(desk.following, told(2), [charged()]),
            follow_dispute(desk.following, told(3), [charged()]),
        )

    asyncio.run(both())

    assert desk.only().status is Status.WON


def test_stages_never_go_back() -> None:
    """Of all pairs only those of the table follow; a higher stage may begin in any status."""
    for (stage, status), (to_stage, to_status) in product(product(Stage, Status), repeat=2):
        rise = list(Stage).index(to_stage) - list(Stage).index(stage)
        expected = rise > 0 or (rise == 0 and (status is to_status or to_status in MOVES[status]))
        assert follows(stage, status, to_stage, to_status) is expected


def test_what_was_not_seen_between_is_no_contradiction() -> None:
    """Two moves that a PSP makes one after the other may be seen as one."""
    said = [status for status in Status if status is not Status.ACCEPTED]
    for one, two, three in product(said, repeat=3):
        if two in MOVES[one] and three in MOVES[two]:
            assert one is three or three in MOVES[one], (one, two, three)


def test_a_word_that_cannot_follow_is_for_a_person() -> None:
    """A chargeback does not become an inquiry: the dispute stays, and the event says why."""
    desk = opened_desk()
    desk.psp.now = standing(Stage.INQUIRY, Status.UNDER_REVIEW)

    left = desk.follow(told(2))

    assert left.state is State.CONTRADICTS
    assert "INQUIRY UNDER_REVIEW" in left.note
    assert desk.only().stage is Stage.CHARGEBACK


def test_an_appeal_reopens_what_the_psp_may_reopen() -> None:
    """Where appeals are heard within a stage an end is none."""
    desk = opened_desk()
    desk.psp.now = standing(Stage.CHARGEBACK, Status.LOST)
    desk.follow(told(2))
    desk.psp.now = replace(standing(Stage.CHARGEBACK, Status.UNDER_REVIEW), may_reopen=True)

    assert desk.follow(told(3)).state is State.APPLIED
    assert desk.only().status is Status.UNDER_REVIEW


def test_a_loss_after_acceptance_stays_accepted() -> None:
    """It is the same to the PSP, not to us."""
    dispute = opened(charged(), standing(*OPENED), "dsp_1", NOW)
    accepted = replace(dispute, status=Status.ACCEPTED)

    after = accepted.taken(standing(Stage.CHARGEBACK, Status.LOST), News(NOW, Source.READ, "x"))

    assert after == accepted
    with pytest.raises(Backwards):
        accepted.taken(standing(Stage.CHARGEBACK, Status.WON), News(NOW, Source.READ, "x"))


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (no_answer(), State.NEW),
        (alarm("500", Reason.NO_USABLE_ANSWER, psp_code="api_error"), State.NEW),
        (Absent("404"), State.NEW),
        (replace(standing(*OPENED), reference="dp_2"), State.NEW),
        (replace(standing(*OPENED), charge_references=("pi_2",)), State.CONTRADICTS),
    ],
)
def test_without_the_psps_word_there_is_no_dispute(said: Heard, state: State) -> None:
    """It is asked again later; a dispute of another charge is for a person."""
    desk = Desk()
    desk.psp.says = [said]

    left = desk.follow()

    assert left.state is state
    assert not desk.book.disputes
    assert (left.due_at is not None) is (state is State.NEW)


def test_a_dispute_about_an_unknown_charge_waits() -> None:
    """Our own commit may come after the PSP's word."""
    assert Desk().follow(charges=[]).state is State.PARKED


def test_events_that_name_no_dispute_or_no_psp_are_kept() -> None:
    """PayPal's reversal names no dispute; a PSP without disputes here is not followed."""
    unnamed = replace(told(), event=replace(told().event, reference=""))
    unknown = replace(told(), event=replace(told().event, psp="square"))

    assert Desk().follow(unnamed).state is State.KEPT
    assert Desk().follow(unknown).state is State.KEPT


def test_the_charge_is_the_attempt_that_charged() -> None:
    """Not its refunds, and not one that was declined before."""
    declined = replace(charged(), attempt_id="att_0", outcome=Outcome.DECLINED)

    assert charge_of([declined, charged(), new_refund()]) == charged()
    assert charge_of([declined]) == declined
    assert charge_of([new_refund()]) is None
