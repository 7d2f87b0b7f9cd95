"""Page tokens: where a page ended, bound to the filters it was made with."""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from datetime import datetime

from chassis.errors import InvalidRequest

_HASH_BYTES = 8
_NUMBERS = range(-(2**63), 2**63)  # what a bigint holds

Position = Sequence[str | int]


def write_token(filters: Sequence[str], position: Position) -> str:
    """Make the token of the page after `position`; opaque to callers."""
    text = json.dumps([_fingerprint(filters), *position], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_token(
    filters: Sequence[str], token: str, kinds: Sequence[type], *, field: str = "page_token"
) -> Position:
    """Read a position out of a token, `kinds` being the types of its parts, `field` its name.

    Raises:
        InvalidRequest: it was made with other filters, or not here.
    """
    try:
        padded = token + "=" * (-len(token) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
        parts = json.loads(text)
    except (binascii.Error, ValueError, RecursionError) as error:
        raise _foreign(field) from error
    if not isinstance(parts, list) or [type(part) for part in parts] != [str, *kinds]:
        raise _foreign(field)
    if parts[0] != _fingerprint(filters):
        raise InvalidRequest.field(field, "was made with other filters")
    if not "".join(map(str, parts)).isprintable():  # PostgreSQL might not even be asked for it
        raise _foreign(field)
    if any(isinstance(part, int) and part not in _NUMBERS for part in parts):
        raise _foreign(field)
    return parts[1:]


def read_moment(part: str | int) -> datetime:
    """Read a moment out of a token's part.

    Raises:
        InvalidRequest: it is none.
    """
    try:
        moment = datetime.fromisoformat(str(part))
    except ValueError as error:
        raise _foreign("page_token") from error
    if moment.tzinfo is None:
        raise _foreign("page_token")
    return moment


def _foreign(field: str) -> InvalidRequest:
    return InvalidRequest.field(field, "is none of ours")


def _fingerprint(filters: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(list(filters)).encode()).hexdigest()[: 2 * _HASH_BYTES]
