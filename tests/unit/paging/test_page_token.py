"""A page token carries where a page ended, and is read with what it was made for alone."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import InvalidRequest
from paging.page_token import read_moment, read_token, write_token

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
FILTERS = st.lists(TEXTS, max_size=4)
NAMES = st.from_regex(r"[A-Za-z0-9_.:-]{1,200}", fullmatch=True)
NUMBERS = st.integers(-(2**63), 2**63 - 1)


@given(filters=FILTERS, name=NAMES, number=NUMBERS)
def test_a_token_reads_as_it_was_written(filters: list[str], name: str, number: int) -> None:
    """A position survives the token that carries it."""
    token = write_token(filters, [name, number])

    assert read_token(filters, token, [str, int]) == [name, number]


@given(mine=FILTERS, yours=FILTERS, name=NAMES)
def test_a_token_is_bound_to_its_filters(mine: list[str], yours: list[str], name: str) -> None:
    """Another client's list, or another filter, does not take it."""
    token = write_token(mine, [name, 7])

    assert read_token(mine, token, [str, int]) == [name, 7]
    if mine != yours:
        with pytest.raises(InvalidRequest, match="other filters"):
            read_token(yours, token, [str, int])


@given(token=st.one_of(st.text(min_size=1), st.binary(min_size=1).map(lambda b: b.hex())))
def test_a_foreign_token_is_refused(token: str) -> None:
    """Whatever else is sent as a token is INVALID_ARGUMENT, never a crash; the field is named."""
    with pytest.raises(InvalidRequest) as refused:
        read_token([], token, [int], field="resume_token")

    assert [violation.field for violation in refused.value.violations] == ["resume_token"]


@pytest.mark.parametrize("part", ["a\0b", "\ud800", "\n", 2**63, -(2**63) - 1, 10**30])
def test_a_token_holds_only_what_can_be_asked_for(part: str | int) -> None:
    """A forged position that PostgreSQL might not take is refused."""
    with pytest.raises(InvalidRequest, match="none of ours"):
        read_token([], write_token([], [part, 1]), [type(part), int])


@pytest.mark.parametrize("kinds", [[], [int], [str, str], [str, int, int]])
def test_a_token_of_other_parts_is_refused(kinds: list[type]) -> None:
    """As many as were written, of the same types."""
    with pytest.raises(InvalidRequest, match="none of ours"):
        read_token([], write_token([], ["a", 1]), kinds)


def test_a_moment_reads_as_it_was_written() -> None:
    """With its zone, to the microsecond."""
    moment = datetime(2026, 5, 4, 3, 2, 1, 123456, tzinfo=UTC)

    assert read_moment(moment.isoformat()) == moment


@pytest.mark.parametrize("part", ["", "yesterday", 7, "2026-05-04T03:02:01"])
def test_what_is_no_moment_is_refused(part: str | int) -> None:
    """A time without a zone is none: it would be another one elsewhere."""
    with pytest.raises(InvalidRequest, match="none of ours"):
        read_moment(part)
