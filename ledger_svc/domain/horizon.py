"""The horizon of an export: a time before which nothing will be written any more.

What is written says a time, and is on disk a little later: behind the newest entry others may still
be on their way. Whoever exports makes sure that they come later, or not at all; see
`LedgerReader.whole_until`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

TICK = timedelta(microseconds=1)
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class StreamEnd(NamedTuple):
    """After which time a stream is written to.

    `is_busy` says that it was written to within the last second, so probably is being written to
    now. It is not disturbed; what that costs is as much of the newest. Nothing else hangs on it.
    """

    written_at: datetime
    is_busy: bool


def horizon(ends: Sequence[StreamEnd], wanted: datetime | None, now: datetime) -> datetime:
    """Choose up to, and without, which time to export.

    Args:
        ends: of all streams.
        wanted: up to, and without, which time; None, or a time to come, for all that there is.
        now: tells whether that is to come.
    """
    if wanted is not None and wanted <= now:
        return wanted
    busy = [end.written_at for end in ends if end.is_busy]
    newest = max((end.written_at for end in ends), default=BEGINNING)
    until = min(busy, default=newest) + TICK
    # What is written may say a time to come, by another's clock.
    return until if wanted is None else min(until, wanted)
