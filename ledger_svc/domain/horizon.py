"""The horizon of an export: a time before which nothing will be written any more.

What is written says a time, and is on disk a little later: behind the newest entry others may still
be on their way. Whoever exports makes sure that they come later, or not at all; see
`LedgerReader.whole_until`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

TICK = timedelta(microseconds=1)

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
# A stream that was written to since is probably being written to now. It is not disturbed; what
# that costs is as much of the newest. Nothing else hangs on it.
_BUSY = timedelta(seconds=1)


def horizon(ends: Sequence[datetime], wanted: datetime | None, now: datetime) -> datetime:
    """Choose up to, and without, which time to export.

    Args:
        ends: the time of the newest entry of each stream.
        wanted: up to, and without, which time; None, or a time to come, for all that there is.
        now: tells which streams are busy.
    """
    if wanted is not None and wanted <= now:
        return wanted
    busy = [end for end in ends if end > now - _BUSY]
    return min(busy or [max(ends, default=BEGINNING)]) + TICK
