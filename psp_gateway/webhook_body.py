"""What a webhook's body holds, read without trust: total over whatever bytes may come.

A field that is missing, of another type, or that no database would store reads as empty.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn

from psp_gateway.domain.errors import UnreadableWebhook

TEXT_MAX = 255

_ATTEMPT_ID = re.compile(r"att_[0-9a-z]{1,60}")
_UNSTORABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_SECONDS_MAX = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp())


def parse(body: bytes) -> Mapping[str, Any]:
    """Read a JSON object; numbers with a fraction stay text, so that none becomes a float.

    Raises:
        UnreadableWebhook: it is none.
    """
    try:
        # The decoder asks for UTF-8 alone; json.loads would guess at UTF-16 and UTF-32 too.
        content = json.loads(body.decode(), parse_float=str, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise UnreadableWebhook("The body is not JSON.") from None
    if not isinstance(content, dict):
        raise UnreadableWebhook("The body is not a JSON object.")
    return content


def inside(content: object, *path: str | int) -> object:
    """Follow names and positions inwards; None where there is nothing."""
    for step in path:
        if isinstance(step, str) and isinstance(content, dict):
            content = content.get(step)
        elif isinstance(step, int) and isinstance(content, list) and len(content) > step:
            content = content[step]
        else:
            return None
    return content


def text(content: object, *path: str | int) -> str:
    """Read a text of at most 255 characters that can be stored; else empty."""
    found = inside(content, *path)
    if not isinstance(found, str) or len(found) > TEXT_MAX or _UNSTORABLE.search(found):
        return ""
    return found


def required(content: object, *path: str | int) -> str:
    """Read a text that must be there.

    Raises:
        UnreadableWebhook: it is not.
    """
    found = text(content, *path)
    if not found:
        raise UnreadableWebhook(f"{'.'.join(map(str, path))} is missing or not a text.")
    return found


def attempt_id(*candidates: str) -> str:
    """Choose the first that is an attempt id of ours; else empty."""
    return next((found for found in candidates if _ATTEMPT_ID.fullmatch(found)), "")


def from_seconds(seconds: object) -> datetime | None:
    """Read seconds since 1970; None when they are none."""
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        return None
    return datetime.fromtimestamp(seconds, UTC) if 0 <= seconds < _SECONDS_MAX else None


def from_iso(written: str) -> datetime | None:
    """Read an ISO 8601 time that names its offset; None when it is none."""
    try:
        read = datetime.fromisoformat(written)
        return read.astimezone(UTC) if read.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
