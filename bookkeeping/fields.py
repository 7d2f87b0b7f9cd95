"""Texts and times of messages: what can be kept of them, and times written."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import InvalidRequest

# What a Timestamp can say and PostgreSQL and Python can both keep, whatever the time zone.
_YEARS = range(2, 9999)


def require_text(path: str, text: str) -> None:
    """Make sure that a text can be kept.

    Raises:
        InvalidRequest: it holds a NUL character.
    """
    if "\0" in text:
        raise InvalidRequest.field(path, "must not hold a NUL character")


def to_moment(path: str, message: Any, field: str) -> datetime | None:
    """Read a time; None when it is absent.

    Raises:
        InvalidRequest: it is none, or out of range.
    """
    if not message.HasField(field):
        return None
    try:
        moment: datetime = getattr(message, field).ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidRequest.field(path, "is no valid time") from error
    if moment.year not in _YEARS:
        raise InvalidRequest.field(path, f"must lie in the years {_YEARS[0]} to {_YEARS[-1]}")
    return moment


@lru_cache(maxsize=256)
def stamp(moment: datetime) -> Timestamp:
    """Write a time, once for the many of a batch: to be copied, never changed."""
    written = Timestamp()
    written.FromDatetime(moment)
    return written
