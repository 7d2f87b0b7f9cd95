"""Page tokens: where a page ended, bound to the filters it was made with."""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from datetime import datetime

from chassis.errors import InvalidRequest

_HASH_BYTES = 8

Position = Sequence[str | int]


def write_token(filters: Sequence[str], position: Position) -> str:
    """Make the token of the page after `position`; opaque to callers."""
    text = json.dumps([_fingerprint(filters), *position], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_token(filters: Sequence[str], token: str, kinds: Sequence[type]) -> Position:
    """Read a position out of a token, `kinds` being the types of its parts.

    Raises:
        InvalidRequest: it was made with other filters, or not here.
    """
    try:
        padded = token + "=" * (-len(token) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
        parts = json.loads(text)
    except (binascii.Error, ValueError, RecursionError) as error:
        raise InvalidRequest.field("page_token", "is none of ours") from error
    if not isinstance(parts, list) or [type(part) for part in parts] != [str, *kinds]:
        raise InvalidRequest.field("page_token", "is none of ours")
    if parts[0] != _fingerprint(filters):
        raise InvalidRequest.field("page_token", "was made with other filters")
    if not "".join(map(str, parts)).isprintable():  # PostgreSQL might not even be asked for it
        raise InvalidRequest.field("page_token", "is none of ours")
    return parts[1:]


def read_time(text: str) -> datetime:
    """Read a time out of a position.

    Raises:
        InvalidRequest: it is none, so the token was not made here.
    """
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest.field("page_token", "is none of ours") from error


def _fingerprint(filters: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(list(filters)).encode()).hexdigest()[: 2 * _HASH_BYTES]
