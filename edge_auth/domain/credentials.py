"""API clients, their keys and their secrets: how they are made, taken apart, and compared.

A key is `pm_` + its id + `_` + 256 bits of chance, a signing secret the same with `pms_`. The
secret part of a key is as strong as a key of a cipher, so a plain SHA-256 of it is kept; a slow
hash would only slow every request. A signing secret is needed itself: it is kept encrypted.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from edge_auth.domain.errors import ClientRevoked, RotationUnderWay
from edge_auth.domain.scopes import DEFAULT, Scope

LIVE_MAX = 2  # of a kind, while one takes the place of the other
_FORM = re.compile(r"pm_([0-9a-v]{12})_([0-9a-v]{52})", re.ASCII)
_DIGITS = "0123456789abcdefghijklmnopqrstuv"
_ID_DIGITS, _SECRET_DIGITS = 12, 52


class Kind(StrEnum):
    """What a credential is."""

    KEY = "API_KEY"
    SIGNING = "SECRET"  # what signs


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody who may call the public API.

    Attributes:
        signing: whether every request of it must be signed.
        requests_per_second: None: the default; 0: no limit.
        burst: None: the default.
    """

    client_id: str
    display_name: str
    created_at: datetime
    scopes: tuple[Scope, ...] = DEFAULT
    signing: bool = False
    requests_per_second: int | None = None
    burst: int | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What is kept of an API key."""

    key_id: str
    client_id: str
    secret_hash: bytes


@dataclass(frozen=True, slots=True)
class Secret:
    """A signing secret, as it signs."""

    secret_id: str
    value: str = field(repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Credential:
    """A key or a secret, without what is secret about it."""

    credential_id: str
    kind: Kind
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_live(self, now: datetime) -> bool:
        """Tell whether it opens anything."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class Caller:
    """The client that a live key belongs to, with all that a request of it is held against."""

    client: Client
    key: StoredKey
    secrets: tuple[Secret, ...] = ()
    key_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody did to a client; `actor` by his own word."""

    client_id: str
    at: datetime
    actor: str
    action: str
    detail: str
    reason: str


def make_key(random_bytes: Callable[[int], bytes]) -> tuple[str, str, bytes]:
    """Make a key: the key itself, its id, and the hash that is kept."""
    key_id = _text(random_bytes(_ID_DIGITS))
    secret = _text(random_bytes(_SECRET_DIGITS))
    return f"pm_{key_id}_{secret}", key_id, _hash(secret)


def make_secret(random_bytes: Callable[[int], bytes]) -> Secret:
    """Make a signing secret."""
    secret_id = _text(random_bytes(_ID_DIGITS))
    return Secret(secret_id, f"pms_{secret_id}_{_text(random_bytes(_SECRET_DIGITS))}")


def key_id_of(key: str) -> str | None:
    """Read the id out of a presented key; None when it has not the form of one."""
    match = _FORM.fullmatch(key)
    return match[1] if match else None


def matches(key: str, stored: StoredKey) -> bool:
    """Compare a presented key with what is kept, in constant time."""
    match = _FORM.fullmatch(key)
    return match is not None and hmac.compare_digest(_hash(match[2]), stored.secret_hash)


def check_rotation(client: Client, live: Sequence[Credential]) -> None:
    """Refuse what would make a third.

    Raises:
        ClientRevoked: nothing of it lives any more.
        RotationUnderWay: two of the kind live already.
    """
    if client.revoked_at is not None:
        raise ClientRevoked(client.client_id)
    if len(live) >= LIVE_MAX:
        oldest = min(live, key=lambda credential: credential.created_at)
        raise RotationUnderWay(client.client_id, oldest.credential_id)


def _text(chance: bytes) -> str:
    return "".join(_DIGITS[byte & 31] for byte in chance)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
