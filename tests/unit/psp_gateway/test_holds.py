"""The guard of what is held: one capture or one void of it is taken up."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import Money
from psp_gateway.domain.attempt import Attempt, Kind, Outcome
from psp_gateway.domain.errors import (
    AlreadyCaptured,
    AlreadyVoided,
    ChargeNotFound,
    ExceedsAuthorization,
    Refusal,
)
from psp_gateway.domain.holds import Holds
from tests.unit.psp_gateway.fakes import expresses_all, takes_parts
from tests.unit.psp_gateway.test_take_further import new_capture, new_hold, new_void

HOLD = replace(new_hold(), outcome=Outcome.SUCCEEDED, psp="stripe", psp_reference="pi_1")


def guard_of(holds: list[Attempt], about: list[Attempt] | None = None) -> Holds:
    """Make a guard of holds and of what was said of them."""
    return Holds(holds, about or [], [], expresses_all, takes_parts)


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize(
    ("earlier", "refusal"),
    [
        (new_capture("1.00", "att_earlier"), AlreadyCaptured),
        (new_void("att_earlier"), AlreadyVoided),
    ],
    ids=["capture", "void"],
)
def test_what_may_have_ended_it_counts(
    earlier: Attempt, refusal: type[Refusal], outcome: Outcome
) -> None:
    """Only a capture or void that definitely failed leaves the hold to another."""
    for asked in (new_capture(), new_void()):
        answer = Holds(
            [HOLD], [replace(earlier, outcome=outcome)], [], expresses_all, takes_parts
        ).take_up(asked)

        assert isinstance(answer, refusal) == (outcome is not Outcome.DECLINED)
        if isinstance(answer, Refusal):
            assert answer.metadata == {"attemptId": "att_earlier"}


def test_one_that_failed_hides_none_that_did_not() -> None:
    """Among several earlier ones, in any order, the one that may have happened counts."""
    failed = replace(new_void("att_failed"), outcome=Outcome.DECLINED)
    unknown = replace(new_capture("1.00", "att_unknown"), outcome=Outcome.UNKNOWN)

    for about in ([failed, unknown], [unknown, failed]):
        assert isinstance(
            Holds([HOLD], about, [], expresses_all, takes_parts).take_up(new_void()),
            AlreadyCaptured,
        )


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("kind", list(Kind))
def test_only_what_is_held_is_ended(kind: Kind, outcome: Outcome) -> None:
    """An authorization that has succeeded, and nothing else, can be captured or let go."""
    named = replace(HOLD, kind=kind, outcome=outcome)
    is_held = kind is Kind.AUTHORIZATION and outcome is Outcome.SUCCEEDED

    for asked in (new_capture(), new_void()):
        answer = Holds([named], [], [], expresses_all, takes_parts).take_up(asked)
        assert isinstance(answer, ChargeNotFound) == (not is_held)


def test_nothing_is_held_in_another_currency() -> None:
    """Nor under another id."""
    euros = replace(new_capture(), amount=Money.parse("99.99", "EUR"))

    assert isinstance(guard_of([HOLD]).take_up(euros), ChargeNotFound)
    assert isinstance(guard_of([]).take_up(new_capture()), ChargeNotFound)


@given(cents=st.integers(1, 20_000), is_void=st.booleans())
def test_no_more_is_taken_than_is_held(cents: int, is_void: bool) -> None:
    """A capture takes all or a part, a void lets go of all."""
    amount = Money(Decimal(cents).scaleb(-2), "USD")
    asked = replace(new_void() if is_void else new_capture(), amount=amount)

    answer = Holds([HOLD], [], [], expresses_all, takes_parts).take_up(asked)

    is_within = cents == 9999 if is_void else cents <= 9999
    assert isinstance(answer, ExceedsAuthorization) == (not is_within)
    if isinstance(answer, Refusal):
        assert answer.metadata == {"held": "99.99"}


def test_it_belongs_to_what_it_ends() -> None:
    """It takes payment, client, PSP and the PSP's id from the authorization."""
    guard = Holds([HOLD], [], [], expresses_all, takes_parts)

    answer = guard.take_up(new_capture())

    assert not isinstance(answer, Refusal)
    taken, is_new = answer
    assert is_new
    assert (taken.payment_id, taken.client_id) == (HOLD.payment_id, HOLD.client_id)
    assert (taken.psp, taken.charge_reference) == ("stripe", "pi_1")
    assert guard.new == [taken]


def test_a_known_id_is_answered_whatever_came_of_it() -> None:
    """The same capture asked again is the stored one."""
    earlier = replace(new_capture(), outcome=Outcome.SUCCEEDED)
    guard = Holds([HOLD], [earlier], [earlier], expresses_all, takes_parts)

    assert guard.take_up(new_capture()) == (earlier, False)
    assert guard.new == []


@given(asked=st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.booleans()), max_size=8))
def test_a_batch_ends_it_once(asked: list[tuple[str, bool]]) -> None:
    """In any batch the first is taken up; only the same id is answered again."""
    guard = Holds([HOLD], [], [], expresses_all, takes_parts)

    for name, is_void in asked:
        word = new_void(f"att_{name}") if is_void else new_capture("1.00", f"att_{name}")
        answer = guard.take_up(word)
        assert isinstance(answer, Refusal) == (name != asked[0][0])

    assert len(guard.new) == min(1, len(asked))
