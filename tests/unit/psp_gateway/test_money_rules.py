"""Single rules by which money is moved once, each by itself."""

from dataclasses import replace
from datetime import timedelta

import pytest

from psp_gateway.domain.answer import Verdict, not_sent
from psp_gateway.domain.answered import advance
from psp_gateway.domain.attempt import Delivery, Kind, Outcome, Stage
from psp_gateway.domain.endings import may_go_elsewhere
from psp_gateway.domain.payout_walk import Patience as PayoutPatience
from psp_gateway.domain.payout_walk import PayoutWalk
from psp_gateway.domain.payout_walk import Seen as PayoutSeen
from psp_gateway.domain.payout_walk import Step as PayoutStep
from psp_gateway.domain.payout_walk import decide as decide_payout
from psp_gateway.domain.reasons import Reason
from psp_gateway.domain.walk import Patience, Seen, Step, Walk, decide
from tests.builders import NOW
from tests.unit.psp_gateway.test_payout_machine import new_payout
from tests.unit.psp_gateway.test_take_further import new_charge

PATIENCE = Patience(timedelta(hours=12))


@pytest.mark.parametrize(("is_final", "step"), [(True, Step.SEND_FRESH), (False, Step.ANSWER)])
def test_a_part_is_never_captured_under_another_key(is_final: bool, step: Step) -> None:
    """Others may follow it, so that the state of the PSP's object does not keep it from being taken
    twice.
    """
    capture = replace(new_charge(), kind=Kind.CAPTURE, stage=Stage.CAPTURE, is_final=is_final)

    assert decide(Walk(capture, Seen.ABSENT_AFTER_REPLAY), NOW, PATIENCE) is step


@pytest.mark.parametrize("outcome", [Outcome.DECLINED, Outcome.TRANSIENT])
def test_after_a_doubt_a_no_to_the_repetition_is_no_end(outcome: Outcome) -> None:
    """The request before it may have moved the money."""
    walk = Walk(replace(new_charge(), stage=Stage.CONFIRM), Seen.DOUBT, in_doubt=True)
    no = Verdict(outcome, reason=Reason.PSP_REQUEST_INVALID, about_request=True)

    assert advance(walk, Step.SEND, no, NOW, PATIENCE).attempt.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(("reference", "expected"), [("", True), ("pi_1", False)])
def test_what_a_psp_has_an_object_of_stays_with_it(reference: str, *, expected: bool) -> None:
    """That its last request was not sent says nothing of those before."""
    attempt = replace(
        new_charge(),
        stage=Stage.CONFIRM,
        outcome=Outcome.TRANSIENT,
        delivery=Delivery.NOT_SENT,
        psp_reference=reference,
    )

    assert may_go_elsewhere(attempt, not_sent()) is expected


@pytest.mark.parametrize(
    ("age", "step"),
    [
        (timedelta(0), PayoutStep.SEND),
        (timedelta(hours=12), PayoutStep.ANSWER),
        (timedelta(seconds=-1), PayoutStep.ANSWER),
    ],
)
def test_a_payout_is_not_sent_again_by_a_clock_that_went_back(
    age: timedelta, step: PayoutStep
) -> None:
    """How long the PSP knows its key cannot be told then."""
    patience = PayoutPatience(timedelta(hours=12), can_find=False)
    walk = PayoutWalk(new_payout(), PayoutSeen.RESUMED, in_doubt=True)

    assert decide_payout(walk, NOW + age, patience) is step
