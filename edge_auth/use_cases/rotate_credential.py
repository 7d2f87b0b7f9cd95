"""RotateCredential: make a new key or secret beside the old one, which ends later."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chassis.clock import Clock
from edge_auth.domain.credentials import (
    Change,
    Credential,
    Kind,
    Secret,
    StoredKey,
    make_key,
    make_secret,
)
from edge_auth.ports import Announcer, ClientStore


@dataclass(frozen=True, slots=True)
class Rotation:
    """What to make anew, and how long the old one lives on."""

    client_id: str
    kind: Kind
    overlap: timedelta
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rotated:
    """The new one, its value, which is shown this once, and when the old one ends."""

    credential: Credential
    value: str = field(repr=False)
    old_ends_at: datetime | None


async def rotate_credential(
    wanted: Rotation,
    *,
    store: ClientStore,
    announcer: Announcer,
    clock: Clock,
    random_bytes: Callable[[int], bytes],
) -> Rotated:
    """Make a new key or secret.

    Raises:
        ClientNotFound: there is no such client.
        ClientRevoked: nothing of it lives any more.
        RotationUnderWay: two of the kind live already.
    """
    now = clock()
    fresh, fresh_id, value = _make(wanted, random_bytes)
    change = Change(wanted.client_id, now, wanted.actor, "ROTATED", fresh_id, wanted.reason)
    old_ends_at = await store.rotate(fresh, now + wanted.overlap, change)
    await announcer.announce()
    return Rotated(Credential(fresh_id, wanted.kind, now), value, old_ends_at)


def _make(
    wanted: Rotation, random_bytes: Callable[[int], bytes]
) -> tuple[StoredKey | Secret, str, str]:
    if wanted.kind is Kind.SIGNING:
        secret = make_secret(random_bytes)
        return secret, secret.secret_id, secret.value
    api_key, key_id, secret_hash = make_key(random_bytes)
    return StoredKey(key_id, wanted.client_id, secret_hash), key_id, api_key
