"""Lines and seals as they are read from the database."""

from collections.abc import Mapping
from typing import Any

from audit_log.chain import Seal
from audit_log.record import ActorKind, Line, Origin, Record

LINE_COLUMNS = (
    "sequence, xid, at, actor_kind, actor_id, is_verified, action, request_id, object_kind,"
    " object_id, reason, before, after, hash"
)
SEAL_COLUMNS = "number, at, horizon, sequences, digests, previous, hash"


def to_line(row: Mapping[str, Any]) -> Line:
    """Read a row of `audit_log`."""
    origin = Origin(
        ActorKind(row["actor_kind"]),
        row["actor_id"],
        row["is_verified"],
        row["action"],
        row["request_id"],
    )
    said = Record(
        origin, row["object_kind"], row["object_id"], row["reason"], row["before"], row["after"]
    )
    return Line(row["sequence"], row["xid"], row["at"], said, bytes(row["hash"]))


def to_seal(row: Mapping[str, Any]) -> Seal:
    """Read a row of `audit_seals`."""
    return Seal(
        row["number"],
        row["at"],
        row["horizon"],
        tuple(row["sequences"]),
        tuple(map(bytes, row["digests"])),
        bytes(row["previous"]),
        bytes(row["hash"]),
    )
