"""The outlook and the headline of payments of which a PSP told what does not fit."""

from dataclasses import replace
from datetime import timedelta

import pytest

from payment_svc.domain.case import Case, CaseKind, CaseStatus
from payment_svc.domain.testimony import Notice
from payment_svc.explanation.headline import headline
from payment_svc.explanation.outlook import outlook
from payment_svc.explanation.story import ActionKind, Outlook, Story, WaitsFor
from payment_svc.sagas.outcomes import Done, Refused, Stuck, Waiting
from tests.unit.payment_svc import stories
from tests.unit.payment_svc.stories import CHARGED, POLICY, at, play

NOW = at(60_000)
DENIED = Notice(
    at=at(30_000),
    psp="stripe",
    event_id="evt_1",
    event_type="payment_intent.payment_failed",
    subject="CHARGE",
    reference="pi_1",
    state="CONTRADICTS",
    note="att_1c1 is SUCCEEDED; the PSP now says DECLINED.",
    delivery_count=1,
)
PARKED = replace(DENIED, state="PARKED", note="No attempt of ours is known by it.")
NO = Refused("INSUFFICIENT_FUNDS", "no", "insufficient_funds")


def ahead(story: Story, *notices: Notice) -> tuple[Outlook, str]:
    """Tell the outlook and the headline of a story with these webhooks in it."""
    story = replace(story, notices=notices)
    told = outlook(story, NOW, POLICY)
    return told, headline(story, told, NOW)


def test_a_final_payment_that_its_psp_denies_is_for_a_person() -> None:
    """It is not said that nothing is left to do, and it is said what is."""
    told, line = ahead(stories.completed(), DENIED)

    assert told.waits_for is WaitsFor.OPERATOR
    assert told.sentence == (
        "It is final, and stripe denies it by payment_intent.payment_failed:"
        " att_1c1 is SUCCEEDED; the PSP now says DECLINED."
    )
    assert told.since == DENIED.at
    assert [action.kind for action in told.actions] == [ActionKind.INVESTIGATE]
    assert "Look pi_1 up in stripe's dashboard" in told.actions[0].sentence
    assert told.actions[0].command == "paymesh logs psp_gateway"
    assert line.endswith(told.sentence.removesuffix("."))


def test_what_its_psp_denies_is_not_to_be_paid_again() -> None:
    """A failed payment that may be charged all the same is not charged anew."""
    denied, _ = ahead(play(Done(), NO).story, DENIED)
    sound, _ = ahead(play(Done(), NO).story, replace(DENIED, state="APPLIED"))

    assert ActionKind.PAY_AGAIN not in {action.kind for action in denied.actions}
    assert ActionKind.PAY_AGAIN in {action.kind for action in sound.actions}


def test_a_denial_is_told_before_what_goes_on_by_itself() -> None:
    """And what it waits for besides is told after it."""
    story = play(Done(), Waiting("ACTION_REQUIRED", redirect_url="https://x")).story

    told, line = ahead(story, DENIED)

    assert told.waits_for is WaitsFor.OPERATOR
    assert told.sentence.startswith("stripe denies what was final by payment_intent.payment_failed")
    assert told.sentence.endswith("The buyer has to act before the PSP goes on.")
    assert told.actions[0].kind is ActionKind.INVESTIGATE
    assert ActionKind.SEND_BUYER in {action.kind for action in told.actions}
    assert "denies what was final" in line


def test_a_dead_letter_keeps_the_first_word() -> None:
    """Both need a person, who is told of both."""
    told, _ = ahead(play(Stuck("NO")).story, DENIED)

    assert told.waits_for is WaitsFor.OPERATOR
    assert "A person has to look" in told.sentence
    assert "stripe denies what was final" in told.sentence
    assert ActionKind.RETRY in {action.kind for action in told.actions}


@pytest.mark.parametrize("status", list(CaseStatus))
def test_a_late_charge_that_has_a_case_is_told_by_that(status: CaseStatus) -> None:
    """Its saga gives it back, and waits for a person where it has to."""
    case = Case(
        "cas_1", CaseKind.LATE_SUCCESS, status, "pay_1", "demo", "att_late", "stripe", "pi_1",
        "99.99", "USD", at(30_100),
    )  # fmt: skip
    story = replace(play(Done(), NO).story, cases=(case,))
    note = "att_1c1 was DECLINED at stripe; stripe has charged it, kept as {}."

    told, _ = ahead(story, replace(DENIED, note=note.format("att_late")))
    other, _ = ahead(story, replace(DENIED, note=note.format("att_later")))

    assert told.waits_for is WaitsFor.NOTHING
    assert other.waits_for is WaitsFor.OPERATOR


def test_what_is_put_aside_is_looked_at_again() -> None:
    """Until it is three days old it goes on by itself; when, is told."""
    again = NOW + timedelta(minutes=5)
    told, line = ahead(stories.completed(), replace(PARKED, due_at=again))

    assert told.waits_for is WaitsFor.EVIDENCE
    assert told.sentence == (
        "It is final, and stripe told payment_intent.payment_failed of pi_1, which nobody here"
        " knows: No attempt of ours is known by it."
    )
    assert told.looked_at_again_at == again
    assert told.then == "After three days it is for a person."
    assert [action.kind for action in told.actions] == [ActionKind.WAIT]
    assert "which nobody here knows" in line


def test_what_is_put_aside_for_good_is_for_a_person() -> None:
    """Nobody looks at it any more."""
    told, _ = ahead(stories.completed(), PARKED)

    assert told.waits_for is WaitsFor.OPERATOR
    assert [action.kind for action in told.actions] == [ActionKind.INVESTIGATE]


def test_of_several_the_denial_is_told_and_the_others_are_counted() -> None:
    """What is put aside says less than what denies."""
    told, _ = ahead(stories.completed(), PARKED, DENIED, replace(DENIED, event_id="evt_2"))

    assert "denies it by payment_intent.payment_failed" in told.sentence
    assert told.sentence.endswith("2 other events do not fit either.")


def test_what_was_put_aside_does_not_hold_up_what_goes_on() -> None:
    """What it waits for stays what it waits for, and the event is told after it."""
    parked = replace(PARKED, due_at=NOW + timedelta(minutes=5))
    told, _ = ahead(play(Done(), CHARGED).story, parked)

    assert told.waits_for is WaitsFor.WORKER
    assert "which nobody here knows" in told.sentence
