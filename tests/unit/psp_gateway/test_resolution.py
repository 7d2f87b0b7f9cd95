"""What speaks against the word of two persons."""

from dataclasses import replace

import pytest

from chassis.money import Money
from psp_gateway.domain.answer import Absent, Created, alarm, no_answer, not_sent
from psp_gateway.domain.attempt import Outcome, Stage
from psp_gateway.domain.hosted_page import Reply
from psp_gateway.domain.reasons import Reason
from psp_gateway.domain.resolution import AttemptResolution, objection
from tests.unit.psp_gateway.test_take_further import new_charge

UNKNOWN = replace(new_charge(), stage=Stage.CONFIRM, outcome=Outcome.UNKNOWN, psp_reference="pi_1")


def said(outcome: Outcome, amount: Money | None = None) -> AttemptResolution:
    """Make what two persons say of the attempt."""
    reference = "pi_1" if amount else ""
    return AttemptResolution("att", outcome, reference, amount, "Seen", "ann", "bob")


@pytest.mark.parametrize("answer", [no_answer(), not_sent(), Absent(), Created("pi_1")])
def test_nothing_speaks_against_that_nothing_was_charged(answer: Reply) -> None:
    """A PSP that is silent, or has done nothing, contradicts nobody who says so."""
    assert objection(said(Outcome.DECLINED), UNKNOWN, answer) is None


def test_what_the_psp_took_instead_speaks_against_that_nothing_was_charged() -> None:
    """Another amount than asked for is not nothing: it would be kept, and known to nobody."""
    against = objection(said(Outcome.DECLINED), UNKNOWN, alarm("200", Reason.AMOUNT_MISMATCH))

    assert against is not None
    assert against.reason == "RESOLUTION_CONTRADICTED"
    assert "another amount" in against.message


def test_an_alarm_about_something_else_speaks_for_nothing() -> None:
    """An answer that nobody understands does not say that anything was taken."""
    answer = alarm("200", Reason.NO_USABLE_ANSWER)

    assert objection(said(Outcome.DECLINED), UNKNOWN, answer) is None
    assert objection(said(Outcome.SUCCEEDED, UNKNOWN.amount), UNKNOWN, answer) is not None
