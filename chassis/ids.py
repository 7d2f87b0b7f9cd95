"""Prefixed ids that sort by time: `pay_01jd3k…`. The type is told by the prefix; callers treat the
rest as opaque.
"""

import os
from collections.abc import Callable
from datetime import datetime

# Crockford's base 32, lower case: no i, l, o, u to misread.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # pragma: allowlist secret
_RANDOM_BYTES = 10
_TIME_DIGITS = 10
_RANDOM_DIGITS = 16

RandomBytes = Callable[[int], bytes]


def new_id(prefix: str, now: datetime, random_bytes: RandomBytes = os.urandom) -> str:
    """Make a ULID behind `prefix_`: 26 digits, 48 bits of milliseconds and 80 bits of chance."""
    milliseconds = int(now.timestamp() * 1000)
    chance = int.from_bytes(random_bytes(_RANDOM_BYTES), "big")
    return f"{prefix}_{_digits(milliseconds, _TIME_DIGITS)}{_digits(chance, _RANDOM_DIGITS)}"


def _digits(number: int, width: int) -> str:
    digits = [""] * width
    for place in range(width - 1, -1, -1):
        digits[place] = _ALPHABET[number & 31]
        number >>= 5
    return "".join(digits)
