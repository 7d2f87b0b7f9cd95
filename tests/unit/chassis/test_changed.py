"""A changed copy is what `dataclasses.replace` would make."""

from dataclasses import FrozenInstanceError, dataclass, fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.changed import changed
from payment_svc.sagas.journey import Queue
from tests.builders import make_journey, make_payment
from tests.unit.psp_gateway.test_take_further import new_charge

_SAGA_CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "tries": st.integers(0, 9),
        "queue": st.sampled_from(Queue),
        "memory": st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
    },
)
_ATTEMPT_CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "request_count": st.integers(0, 9),
        "reason": st.text(max_size=3),
        "psps_tried": st.tuples(st.text(max_size=3)),
    },
)


@given(
    st.one_of(
        st.tuples(st.builds(lambda: make_journey().progress), _SAGA_CHANGES),
        st.tuples(st.builds(new_charge), _ATTEMPT_CHANGES),
    )
)
def test_a_changed_copy_is_what_replace_makes(case: tuple[Any, dict[str, object]]) -> None:
    """It holds every field, changed or not, and leaves the first as it was."""
    before, changes = case
    kept = [getattr(before, field.name) for field in fields(before)]

    after = changed(before, **changes)

    assert after == replace(before, **changes)
    assert kept == [getattr(before, field.name) for field in fields(before)]


def test_a_changed_copy_is_frozen_too() -> None:
    """It is of the same class, and hashes and compares as one that was constructed."""
    payment = make_payment()
    after = changed(payment, version=2)

    assert type(after) is type(payment)
    assert hash(after) == hash(replace(payment, version=2))
    with pytest.raises(FrozenInstanceError):
        after.version = 3


def test_a_field_that_is_not_there_is_refused() -> None:
    """A slip in a name is an error, as it is of a constructor."""
    with pytest.raises(AttributeError):
        changed(make_payment(), nobody=1)


def test_what_a_constructor_checks_is_not_copied() -> None:
    """A class with invariants to check must be made by its constructor."""

    @dataclass(frozen=True, slots=True)
    class Checked:
        first: int
        second: int

        def __post_init__(self) -> None:
            if self.first > self.second:
                raise ValueError

    with pytest.raises(TypeError):
        changed(Checked(1, 2), first=3)
