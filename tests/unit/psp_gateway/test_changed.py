"""A changed copy is what `dataclasses.replace` would make."""

from dataclasses import dataclass, fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psp_gateway.domain.changed import changed
from psp_gateway.domain.walk import Seen, Walk
from tests.unit.psp_gateway.test_take_further import new_charge


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "request_count": st.integers(0, 9),
            "reason": st.text(max_size=3),
            "psps_tried": st.tuples(st.text(max_size=3)),
        },
    )
)
def test_a_changed_copy_is_what_replace_makes(changes: dict[str, object]) -> None:
    """It holds every field, changed or not, and leaves the first as it was."""
    before = new_charge()
    kept = [getattr(before, field.name) for field in fields(before)]

    after = changed(before, **changes)

    assert after == replace(before, **changes)
    assert kept == [getattr(before, field.name) for field in fields(before)]


def test_a_field_that_is_not_there_is_refused() -> None:
    """A slip in a name is an error, as it is of a constructor."""
    with pytest.raises(AttributeError):
        changed(Walk(new_charge(), Seen.STORED), nobody=1)


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
