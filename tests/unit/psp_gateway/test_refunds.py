"""The guard of refunds: those of one charge never sum above it."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import Money
from psp_gateway.domain.attempt import Attempt, Kind, Outcome
from psp_gateway.domain.errors import ChargeNotFound, RefundExceedsCharge, Refusal
from psp_gateway.domain.refunds import Refunds
from tests.unit.psp_gateway.fakes import expresses_all
from tests.unit.psp_gateway.test_take_further import new_charge, new_refund

CHARGE = replace(new_charge(), outcome=Outcome.SUCCEEDED, psp="stripe", psp_reference="pi_1")


def refund(
    cents: int, *, attempt_id: str = "att_new", outcome: Outcome = Outcome.PENDING
) -> Attempt:
    """Make a refund of so many cents."""
    amount = Money(Decimal(cents).scaleb(-2), "USD")
    return replace(new_refund(), attempt_id=attempt_id, amount=amount, outcome=outcome)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_what_may_have_been_given_counts(outcome: Outcome) -> None:
    """Only a refund that definitely failed leaves its money to be given again."""
    earlier = refund(9999, attempt_id="att_earlier", outcome=outcome)

    answer = Refunds([CHARGE], [earlier], [], expresses_all).take_up(refund(1))

    assert isinstance(answer, RefundExceedsCharge) == (outcome is not Outcome.DECLINED)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_only_what_was_charged_is_given_back(outcome: Outcome) -> None:
    """A charge that has not succeeded has nothing to give back."""
    charge = replace(CHARGE, outcome=outcome)

    answer = Refunds([charge], [], [], expresses_all).take_up(refund(1))

    assert isinstance(answer, ChargeNotFound) == (outcome is not Outcome.SUCCEEDED)


def test_a_refund_is_no_charge() -> None:
    """A refund cannot be refunded."""
    given_back = refund(5, attempt_id="att_1", outcome=Outcome.SUCCEEDED)

    answer = Refunds([given_back], [], [], expresses_all).take_up(refund(1))

    assert isinstance(answer, ChargeNotFound)


def test_what_is_held_is_not_given_back() -> None:
    """An authorization took nothing, though it has succeeded; nor did a void."""
    for kind in (Kind.AUTHORIZATION, Kind.VOID):
        answer = Refunds([replace(CHARGE, kind=kind)], [], [], expresses_all).take_up(refund(1))

        assert isinstance(answer, ChargeNotFound)


def test_what_was_captured_is_the_limit() -> None:
    """Of a capture no more is given back than it took, whatever was held."""
    capture = replace(CHARGE, kind=Kind.CAPTURE, amount=Money(Decimal("40.00"), "USD"))
    guard = Refunds([capture], [], [], expresses_all)

    answers = [guard.take_up(refund(cents, attempt_id=f"att_{cents}")) for cents in (4001, 4000, 1)]

    assert [isinstance(answer, RefundExceedsCharge) for answer in answers] == [True, False, True]


def test_what_passes_the_bounds_of_money_is_refused_like_any_other() -> None:
    """Its sum with those before has 16 digits: it is refused, and harms nobody beside it."""
    guard = Refunds([CHARGE], [refund(100, attempt_id="att_old")], [], expresses_all)

    too_much = guard.take_up(refund(99_999_999_999_999_999))

    assert isinstance(too_much, RefundExceedsCharge)
    assert not isinstance(guard.take_up(refund(1, attempt_id="att_2")), Refusal)


def test_a_refund_belongs_to_its_charge() -> None:
    """It takes payment, client, PSP and the PSP's id from the charge."""
    answer = Refunds([CHARGE], [], [], expresses_all).take_up(refund(1))

    assert not isinstance(answer, Refusal)
    taken, is_new = answer
    assert is_new
    assert (taken.payment_id, taken.client_id) == (CHARGE.payment_id, CHARGE.client_id)
    assert (taken.psp, taken.charge_reference) == ("stripe", "pi_1")


def test_a_known_id_is_answered_whatever_is_left() -> None:
    """The same refund asked again is the stored one, also when all has been given back."""
    earlier = refund(9999, attempt_id="att_new", outcome=Outcome.SUCCEEDED)
    guard = Refunds([CHARGE], [earlier], [earlier], expresses_all)

    assert guard.take_up(refund(9999)) == (earlier, False)
    assert guard.new == []


@given(
    earlier=st.lists(st.tuples(st.integers(1, 4000), st.sampled_from(Outcome)), max_size=3),
    asked=st.lists(st.integers(1, 6000), max_size=8),
)
def test_refunds_never_pass_the_charge(
    earlier: list[tuple[int, Outcome]], asked: list[int]
) -> None:
    """In any batch each refund is taken exactly when it still fits."""
    stored = [
        refund(cents, attempt_id=f"att_old{n}", outcome=outcome)
        for n, (cents, outcome) in enumerate(earlier)
    ]
    left = 9999 - sum(cents for cents, outcome in earlier if outcome is not Outcome.DECLINED)
    guard = Refunds([CHARGE], stored, [], expresses_all)

    for number, cents in enumerate(asked):
        answer = guard.take_up(refund(cents, attempt_id=f"att_new{number}"))
        assert isinstance(answer, Refusal) == (cents > left)
        left -= 0 if isinstance(answer, Refusal) else cents
