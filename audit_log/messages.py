"""Lines, seals and what verification says, to messages and back; an export is read by the same."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.audit.v1 import audit_log_service_pb2 as wire

from audit_log.chain import Offence, Seal
from audit_log.reader import LineFilter, Progress, Verdict
from audit_log.record import ActorKind, Line, Origin, Record

_KINDS = {
    ActorKind.CLIENT: wire.AuditLine.CLIENT,
    ActorKind.OPERATOR: wire.AuditLine.OPERATOR,
    ActorKind.SERVICE: wire.AuditLine.SERVICE,
}
_KINDS_IN = {value: kind for kind, value in _KINDS.items()}


def to_line(line: Line) -> wire.AuditLine:
    """Write a line."""
    said, who = line.record, line.record.origin
    return wire.AuditLine(
        sequence=line.sequence,
        xid=line.xid,
        at=_time(line.at),
        actor_kind=_KINDS[who.actor_kind],
        actor_id=who.actor_id,
        is_verified=who.is_verified,
        action=who.action,
        request_id=who.request_id,
        object_kind=said.object_kind,
        object_id=said.object_id,
        reason=said.reason,
        before=said.before,
        after=said.after,
        hash=line.hash,
    )


def read_line(line: wire.AuditLine) -> Line:
    """Read a line.

    Raises:
        ValueError: it is none that was written here.
    """
    kind = _KINDS_IN.get(line.actor_kind)
    if kind is None:
        raise ValueError(f"line {line.sequence} is of no kind of actor")
    origin = Origin(kind, line.actor_id, line.is_verified, line.action, line.request_id)
    said = Record(
        origin,
        line.object_kind,
        line.object_id,
        line.reason,
        dict(line.before),
        dict(line.after),
    )
    return Line(line.sequence, line.xid, _read_time(line.at), said, line.hash)


def to_seal(seal: Seal, *, is_whole: bool = True) -> wire.AuditSeal:
    """Write a seal, without what it covers unless it is whole."""
    return wire.AuditSeal(
        number=seal.number,
        at=_time(seal.at),
        horizon=seal.horizon,
        sequences=seal.sequences if is_whole else (),
        digests=seal.digests if is_whole else (),
        previous=seal.previous,
        hash=seal.hash,
    )


def read_seal(seal: wire.AuditSeal) -> Seal:
    """Read a whole seal."""
    return Seal(
        seal.number,
        _read_time(seal.at),
        seal.horizon,
        tuple(seal.sequences),
        tuple(seal.digests),
        seal.previous,
        seal.hash,
    )


def read_filter(chosen: wire.AuditFilter) -> LineFilter:
    """Read which lines are meant."""
    return LineFilter(
        actor_id=chosen.actor_id,
        object_kind=chosen.object_kind,
        object_id=chosen.object_id,
        action=chosen.action.removeprefix("/"),
        since=_read_time(chosen.since) if chosen.HasField("since") else None,
        until=_read_time(chosen.until) if chosen.HasField("until") else None,
    )


def read_since(request: wire.VerifyAuditLogRequest) -> datetime | None:
    """Read from when on changes are looked for."""
    return _read_time(request.changed_since) if request.HasField("changed_since") else None


def to_told(told: Progress | Offence | Verdict) -> wire.VerifyAuditLogResponse:
    """Write what verification says."""
    response = wire.VerifyAuditLogResponse
    match told:
        case Progress(done, total):
            return response(progress=response.Progress(done=done, total=total))
        case Offence(kind, subject, message):
            offence = wire.AuditOffence(kind=kind.value, subject=subject, message=message)
            return response(offence=offence)
        case Verdict():
            return response(verdict=_verdict(told))


def _verdict(verdict: Verdict) -> wire.VerifyAuditLogResponse.Verdict:
    written = wire.VerifyAuditLogResponse.Verdict(
        sound=verdict.offence_count == 0,
        line_count=verdict.line_count,
        seal_count=verdict.seal_count,
        open_count=verdict.open_count,
        offence_count=verdict.offence_count,
    )
    if verdict.open_since is not None:
        written.open_since.CopyFrom(_time(verdict.open_since))
    if verdict.last_hash:
        written.last_seal.number = verdict.last_number
        written.last_seal.hash = verdict.last_hash
    return written


def _time(at: datetime) -> Timestamp:
    written = Timestamp()
    written.FromDatetime(at)
    return written


def _read_time(at: Timestamp) -> datetime:
    return at.ToDatetime(tzinfo=UTC)
