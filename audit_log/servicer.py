"""gRPC to the log and back: one service's `paymesh.audit.v1.AuditLogService`."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any, LiteralString

from paymesh.audit.v1 import audit_log_service_pb2 as wire
from paymesh.audit.v1.audit_log_service_pb2_grpc import (
    AuditLogServiceServicer,
    add_AuditLogServiceServicer_to_server,
)

from audit_log import messages
from audit_log.reader import AuditLogReader, LineFilter
from audit_log.record import Line
from chassis.database import Database
from chassis.server import Register
from paging.page_size import page_limit

NAME = wire.DESCRIPTOR.services_by_name["AuditLogService"].full_name


class AuditLogServicer(AuditLogServiceServicer):
    """`paymesh.audit.v1.AuditLogService`."""

    def __init__(self, reader: AuditLogReader) -> None:
        self._reader = reader

    async def ListAuditLines(
        self, request: wire.ListAuditLinesRequest, _: Any
    ) -> wire.ListAuditLinesResponse:
        """List lines; see the proto."""
        limit = page_limit(request.page_size)
        before = int(request.page_token) if request.page_token else None
        chosen = messages.read_filter(request.filter)
        lines = await self._reader.list_lines(chosen, limit, before)
        return wire.ListAuditLinesResponse(
            lines=map(messages.to_line, lines),
            next_page_token=str(lines[-1].sequence) if len(lines) == limit else "",
        )

    async def VerifyAuditLog(
        self, request: wire.VerifyAuditLogRequest, _: Any
    ) -> AsyncIterator[wire.VerifyAuditLogResponse]:
        """Prove the log; see the proto."""
        known = {seal.number: seal.hash for seal in request.known_seals}
        since = messages.read_since(request)
        async for told in self._reader.verify(known, since):
            yield messages.to_told(told)

    async def ExportAuditLog(
        self, request: wire.ExportAuditLogRequest, _: Any
    ) -> AsyncIterator[wire.ExportAuditLogResponse]:
        """Tell the whole log; see the proto."""
        chosen, horizon = messages.read_filter(request.filter), 0
        async for seal, lines in self._reader.seals():
            for line in _fitting(lines, chosen):
                yield wire.ExportAuditLogResponse(line=messages.to_line(line))
            yield wire.ExportAuditLogResponse(seal=messages.to_seal(seal))
            horizon = seal.horizon
        async for lines in self._reader.open_lines(horizon):
            for line in _fitting(lines, chosen):
                yield wire.ExportAuditLogResponse(line=messages.to_line(line))

    async def ListAuditSeals(
        self, request: wire.ListAuditSealsRequest, _: Any
    ) -> wire.ListAuditSealsResponse:
        """List seals; see the proto."""
        limit = page_limit(request.page_size)
        found = await self._reader.newest_seals(limit, request.before)
        return wire.ListAuditSealsResponse(
            seals=[messages.to_seal(seal, is_whole=False) for seal in found]
        )


def serving(database: Database, unlogged: LiteralString) -> Register:
    """Make what registers the service for a database, with its query for changes without a line."""
    servicer = AuditLogServicer(AuditLogReader(database, unlogged))
    return partial(add_AuditLogServiceServicer_to_server, servicer)


def _fitting(lines: Sequence[Line], chosen: LineFilter) -> list[Line]:
    return [line for line in lines if chosen.fits(line)]
