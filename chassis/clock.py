"""Time as an argument: use cases take a Clock, so that a test can replay them."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Tell the time, in UTC; the one clock of production."""
    return datetime.now(UTC)
