"""Exports: JSON lines, of which each is a line of the log or a seal; proved without the stack."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from paymesh.audit.v1 import audit_log_service_pb2 as wire

from audit_log import messages
from audit_log.chain import Chain, Offence
from audit_log.reader import Verdict
from audit_log.record import Line
from devstack.state import StackError

FORMAT = "paymesh-audit-log-1"


class UnreadableExport(StackError):
    """A file is no export."""


def heading(service: str, *, is_whole: bool) -> str:
    """Write the first line of an export."""
    return json.dumps({"format": FORMAT, "service": service, "whole": is_whole})


def written(told: wire.ExportAuditLogResponse) -> str:
    """Write a line of an export."""
    return json.dumps(MessageToDict(told, preserving_proto_field_name=True))


def verify_file(path: Path, known: Mapping[int, bytes]) -> Iterator[Offence | Verdict]:
    """Prove an export; the verdict comes last. With a selection of lines, those that were left out
    are not missed.

    Raises:
        UnreadableExport: it is none.
    """
    with path.open(encoding="utf-8") as file:
        head = _json(path, 1, file.readline())
        if head.get("format") != FORMAT:
            raise UnreadableExport(f"{path} does not begin as an export does")
        chain = Chain(dict(known), is_whole=bool(head.get("whole")))
        lines: list[Line] = []
        seals = offences = 0
        for number, text in enumerate(file, 2):
            found = _read(path, number, text)
            if isinstance(found, Line):
                lines.append(found)
                continue
            seals += 1
            for offence in chain.check(messages.read_seal(found), lines):
                offences += 1
                yield offence
            lines = []
    sealed = chain.line_count
    for offence in [*chain.end(), *(one for line in lines for one in chain.check_open(line))]:
        offences += 1
        yield offence
    since = min((line.at for line in lines), default=None)
    open_count, last = chain.line_count - sealed, chain.hash if seals else b""
    yield Verdict(chain.line_count, seals, open_count, since, offences, chain.number, last)


def _read(path: Path, number: int, text: str) -> Line | wire.AuditSeal:
    try:
        told = ParseDict(_json(path, number, text), wire.ExportAuditLogResponse())
        if told.WhichOneof("message") == "line":
            return messages.read_line(told.line)
    except (ParseError, ValueError) as error:
        raise UnreadableExport(f"{path}, line {number}: {error}") from error
    if told.WhichOneof("message") != "seal":
        raise UnreadableExport(f"{path}, line {number}: neither a line nor a seal")
    return told.seal


def _json(path: Path, number: int, text: str) -> dict[str, Any]:
    try:
        read = json.loads(text)
    except ValueError as error:
        raise UnreadableExport(f"{path}, line {number}: no JSON") from error
    if not isinstance(read, dict):
        raise UnreadableExport(f"{path}, line {number}: no object")
    return read
