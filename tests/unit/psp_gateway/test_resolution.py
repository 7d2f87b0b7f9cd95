"""What speaks against the word of two persons."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chassis.money import Money
from psp_gateway.domain.answer import Absent, Created, alarm, no_answer, not_sent
from psp_gateway.domain.attempt import Attempt, Delivery, Kind, Method, Outcome, Stage
from psp_gateway.domain.hosted_page import Reply
from psp_gateway.domain.reasons import Reason
from psp_gateway.domain.resolution import AttemptResolution, is_overdue, objection, resolved
from tests.builders import NOW
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


HALF = Money.parse("50.00", "USD")
NOTHING = Money.of_stored(HALF.amount - HALF.amount, "USD")


def mismatch(taken: Money | None = HALF) -> Reply:
    """Make the answer of a PSP that took another amount, and says how much."""
    return alarm("200", Reason.AMOUNT_MISMATCH, reference="pi_1", taken=taken)


def test_the_other_amount_is_taken_as_the_psp_tells_it() -> None:
    """The attempt ends declined, for a reason of its own."""
    said_half = said(Outcome.DECLINED, HALF)

    assert objection(said_half, UNKNOWN, mismatch()) is None
    ended = resolved(said_half, UNKNOWN, NOW)
    assert (ended.outcome, ended.reason) == (Outcome.DECLINED, "AMOUNT_MISMATCH")
    assert "given back" in ended.message
    assert ended.amount == UNKNOWN.amount


@pytest.mark.parametrize(
    ("claim", "attempt", "answer", "why"),
    [
        (HALF, UNKNOWN, mismatch(Money.parse("49.99", "USD")), "the PSP says 49.99 USD"),
        (HALF, UNKNOWN, mismatch(Money.parse("50.00", "EUR")), "the PSP says 50.00 EUR"),
        (HALF, UNKNOWN, mismatch(NOTHING), "the PSP says 0.00 USD"),
        (HALF, UNKNOWN, mismatch(None), "how much it took"),
        (HALF, UNKNOWN, no_answer(), "does not tell now"),
        (HALF, UNKNOWN, Created("pi_1"), "does not tell now"),
        (UNKNOWN.amount, UNKNOWN, mismatch(), "is what was asked for"),
        (HALF, replace(UNKNOWN, psp_reference="pi_2"), mismatch(), "knows it as pi_2"),
        (HALF, replace(UNKNOWN, kind=Kind.REFUND), mismatch(), "takes nothing"),
    ],
    ids=str,
)
def test_what_speaks_against_another_amount(
    claim: Money, attempt: Attempt, answer: Reply, why: str
) -> None:
    """A figure that was misread, or that the PSP does not tell now, gives nothing back."""
    against = objection(said(Outcome.DECLINED, claim), attempt, answer)

    assert against is not None
    assert against.reason == "RESOLUTION_CONTRADICTED"
    assert why in against.message


def test_a_psp_that_cannot_be_asked_has_told_before() -> None:
    """Where only notices tell, the last one said that another amount was taken, or nothing does."""
    told = replace(UNKNOWN, reason=Reason.AMOUNT_MISMATCH.value)
    said_half = said(Outcome.DECLINED, HALF)

    assert objection(said_half, told, Absent(), can_be_asked=False) is None
    assert objection(said_half, UNKNOWN, Absent(), can_be_asked=False) is not None
    assert objection(said_half, told, Absent()) is not None


def test_an_object_of_another_amount_that_took_nothing_is_no_charge() -> None:
    """The PSP made it otherwise than asked, and it was never paid."""
    assert objection(said(Outcome.DECLINED), UNKNOWN, mismatch(NOTHING)) is None
    against = objection(said(Outcome.DECLINED), UNKNOWN, mismatch())
    assert against is not None
    assert "it has taken 50.00 USD" in against.message


@pytest.mark.parametrize(
    ("age", "differs", "expected"),
    [
        (timedelta(hours=24), {}, True),
        (timedelta(hours=23), {}, False),
        (timedelta(hours=24), {"outcome": Outcome.ACTION_REQUIRED}, False),
        (timedelta(hours=24), {"delivery": Delivery.SENT_NO_ANSWER}, False),
        (timedelta(days=20), {"method": Method.BANK_DEBIT}, False),
        (timedelta(days=21), {"method": Method.BANK_DEBIT}, True),
    ],
)
def test_what_a_psp_should_have_told_by_now_may_be_resolved(
    age: timedelta, differs: dict[str, Any], expected: bool
) -> None:
    """A webhook that is lost leaves an attempt that nobody else ends; who can be asked is."""
    waiting = replace(
        UNKNOWN, outcome=Outcome.PENDING, delivery=Delivery.ANSWERED, created_at=NOW - age
    )
    waiting = replace(waiting, **differs)

    assert is_overdue(waiting, NOW, can_be_asked=False) is expected
    assert is_overdue(waiting, NOW, can_be_asked=True) is False
    against = objection(said(Outcome.DECLINED), waiting, no_answer(), is_overdue=expected)
    assert (against is None) is expected
