"""What a line of the audit log says, and the bytes that its hash is made of."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from hashlib import sha256

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_write = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, sort_keys=True).encode

State = Mapping[str, str]


class ActorKind(StrEnum):
    """Whose word it was."""

    CLIENT = "client"
    OPERATOR = "operator"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who changes something, and by which call.

    Attributes:
        actor_id: a client's id, a certificate's identity, or what somebody says of himself.
        is_verified: a certificate that was checked vouches for it.
        action: the RPC's full name, or `service/What` where no RPC is under way.
    """

    actor_kind: ActorKind
    actor_id: str
    is_verified: bool
    action: str
    request_id: str = ""


NOBODY = Origin(ActorKind.SERVICE, "system", is_verified=False, action="")


@dataclass(frozen=True)
class Record:
    """One change of one object. `before` and `after` hold only what changed, as texts; what is
    secret or personal shows as its type shows it: masked.
    """

    origin: Origin
    object_kind: str
    object_id: str
    reason: str = ""
    before: State = field(default_factory=dict)
    after: State = field(default_factory=dict)

    @cached_property
    def hash(self) -> bytes:
        """Hash what it says: SHA-256 of a JSON array without spaces, in ASCII, keys sorted."""
        who = self.origin
        content = [
            who.actor_kind.value, who.actor_id, who.is_verified, who.action, who.request_id,
            self.object_kind, self.object_id, self.reason, dict(self.before), dict(self.after),
        ]  # fmt: skip
        return sha256(_write(content).encode("ascii")).digest()


@dataclass(frozen=True, slots=True)
class Line:
    """A record at its place in the log.

    Attributes:
        sequence: unique; with gaps, where a transaction was undone.
        xid: the transaction that wrote it; lines are sealed in the order of these.
        at: by the database's clock.
        hash: as it is stored.
    """

    sequence: int
    xid: int
    at: datetime
    record: Record
    hash: bytes

    def digest(self) -> bytes:
        """Hash the line with its place and time: what a seal keeps of it."""
        place = [self.sequence, self.xid, micros(self.at), self.hash.hex()]
        return sha256(_write(place).encode("ascii")).digest()


def record(
    origin: Origin,
    object_kind: str,
    object_id: str,
    *,
    reason: str = "",
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> Record:
    """Make a record of what changed: what is the same before and after is left out."""
    old, new = texts(before or {}), texts(after or {})
    same = {key for key in old.keys() & new.keys() if old[key] == new[key]}
    return Record(
        origin,
        object_kind,
        object_id,
        _storable(reason),
        {key: value for key, value in old.items() if key not in same},
        {key: value for key, value in new.items() if key not in same},
    )


def texts(state: Mapping[str, object]) -> dict[str, str]:
    """Write values down as texts; what is masked by its type stays so. None is left out."""
    return {key: _storable(_text(value)) for key, value in state.items() if value is not None}


def micros(at: datetime) -> int:
    """Count microseconds since 1970, the form of a time in what is hashed."""
    return (at - _EPOCH) // _MICROSECOND


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        raise TypeError("bytes have no place in the audit log")
    return str(value)


def _storable(text: str) -> str:
    return text.replace("\x00", "\ufffd")
