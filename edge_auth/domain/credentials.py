"""API keys: how they are made, taken apart, and compared.

A key is `pm_` + its id + `_` + 256 bits of chance. The secret part is as strong as a key of a
cipher, so a plain SHA-256 of it is kept; a slow hash would only slow every request.
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

_FORM = re.compile(r"pm_([0-9a-v]{12})_([0-9a-v]{52})", re.ASCII)
_DIGITS = "0123456789abcdefghijklmnopqrstuv"
_ID_DIGITS, _SECRET_DIGITS = 12, 52


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody who may call the public API."""

    client_id: str
    display_name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What is kept of an API key."""

    key_id: str
    client_id: str
    secret_hash: bytes


def make_key(random_bytes: Callable[[int], bytes]) -> tuple[str, str, bytes]:
    """Make a key: the key itself, its id, and the hash that is kept."""
    key_id = _text(random_bytes(_ID_DIGITS))
    secret = _text(random_bytes(_SECRET_DIGITS))
    return f"pm_{key_id}_{secret}", key_id, _hash(secret)


def key_id_of(key: str) -> str | None:
    """Read the id out of a presented key; None when it has not the form of one."""
    match = _FORM.fullmatch(key)
    return match[1] if match else None


def matches(key: str, stored: StoredKey) -> bool:
    """Compare a presented key with what is kept, in constant time."""
    match = _FORM.fullmatch(key)
    return match is not None and hmac.compare_digest(_hash(match[2]), stored.secret_hash)


def _text(chance: bytes) -> str:
    return "".join(_DIGITS[byte & 31] for byte in chance)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
