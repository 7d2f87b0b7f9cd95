"""Up to when an export goes."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ledger_svc.domain.horizon import BEGINNING, TICK, StreamEnd, horizon
from tests.unit.ledger_svc.builders import NOW

_SECOND = timedelta(seconds=1)
_SOME_WHEN = st.integers(-5_000_000, 5_000_000).map(lambda n: NOW + timedelta(microseconds=n))
_ENDS = st.lists(st.builds(StreamEnd, _SOME_WHEN, st.booleans()))


@given(_ENDS, st.none() | _SOME_WHEN)
def test_it_never_passes_the_newest_nor_what_was_asked_for(
    ends: list[StreamEnd], wanted: datetime | None
) -> None:
    """What was asked for when that is over; else no stream has anything behind the newest."""
    until = horizon(ends, wanted, NOW)

    if wanted is not None and wanted <= NOW:
        assert until == wanted
    else:
        assert until <= max((end.written_at for end in ends), default=BEGINNING) + TICK
    assert wanted is None or until <= wanted


def test_it_waits_for_streams_that_are_busy() -> None:
    """The one that is furthest behind among the busy ones; others do not count."""
    busy, busier = StreamEnd(NOW - _SECOND / 2, True), StreamEnd(NOW - _SECOND / 4, True)
    idle, idler = StreamEnd(NOW - _SECOND, False), StreamEnd(NOW - 2 * _SECOND, False)

    assert horizon([busier, busy, idle], None, NOW) == busy.written_at + TICK
    assert horizon([idle, idler], None, NOW) == idle.written_at + TICK
    assert horizon([busy], NOW + _SECOND, NOW) == busy.written_at + TICK
    assert horizon([], None, NOW) == BEGINNING + TICK
