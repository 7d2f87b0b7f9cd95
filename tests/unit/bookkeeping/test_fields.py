"""Texts and times of messages: what cannot be kept is refused, by the name of its field."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.ledger.v1.ledger_service_pb2 import ListEntriesRequest

from bookkeeping.fields import require_text, stamp, to_moment
from chassis.errors import InvalidRequest

_DAY_S = 86_400
_FIRST = datetime(2, 1, 1, tzinfo=UTC)
_LAST = datetime(9998, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


def asked(moment: Timestamp) -> ListEntriesRequest:
    """Make a message that says a time."""
    return ListEntriesRequest(created_from=moment)


@pytest.mark.parametrize("text", ["", "a", "\n", "é", "\x01"])
def test_a_text_is_let_pass(text: str) -> None:
    """Whatever it holds, but for one character."""
    require_text("reason", text)


def test_a_text_with_nul_is_refused() -> None:
    """PostgreSQL does not keep it."""
    with pytest.raises(InvalidRequest) as refused:
        require_text("postings[3].description", "a\0b")

    assert [violation.field for violation in refused.value.violations] == [
        "postings[3].description"
    ]


@pytest.mark.parametrize("moment", [_FIRST, _LAST, datetime(2026, 5, 4, 3, 2, 1, 7, tzinfo=UTC)])
def test_a_time_is_read_as_it_was_written(moment: datetime) -> None:
    """To the microsecond, from whatever zone."""
    here = moment.astimezone(timezone(timedelta(hours=1)))

    assert to_moment("created_from", asked(stamp(moment)), "created_from") == moment
    assert stamp(here) == stamp(moment)


def test_a_time_that_is_absent_is_none() -> None:
    """Which is not 1970."""
    assert to_moment("created_from", ListEntriesRequest(), "created_from") is None


@pytest.mark.parametrize(
    "moment",
    [
        Timestamp(nanos=-1),
        Timestamp(seconds=2**62),
        Timestamp(seconds=stamp(_FIRST).seconds - 1),
        Timestamp(seconds=stamp(_LAST).seconds + 1),
        Timestamp(seconds=stamp(_LAST).seconds + 400 * _DAY_S),
    ],
)
def test_what_is_no_time_or_cannot_be_kept_is_refused(moment: Timestamp) -> None:
    """The field is named."""
    with pytest.raises(InvalidRequest) as refused:
        to_moment("filter.created_from", asked(moment), "created_from")

    assert [violation.field for violation in refused.value.violations] == ["filter.created_from"]
