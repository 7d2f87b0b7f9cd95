"""The calls to every service's `AuditLogService`."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import grpc
from paymesh.audit.v1 import audit_log_service_pb2 as wire
from paymesh.audit.v1.audit_log_service_pb2_grpc import AuditLogServiceStub

from devstack.reach import SERVICE_HEADER, operator_channel
from devstack.state import StackError

SERVICES = ("payment_svc", "ledger_svc", "wallet_svc", "psp_gateway", "edge_auth")
_TIMEOUT_S = 24 * 3600.0
_CALL_S = 30.0
_PAGE = 500

Shown = Callable[[str, int, int], None]


async def list_lines(
    stack: Mapping[str, Any], services: Sequence[str], chosen: wire.AuditFilter, limit: int
) -> list[tuple[str, wire.AuditLine]]:
    """List the newest lines of several services together, the newest first.

    Raises:
        StackError: a service did not answer.
    """
    found: list[tuple[str, wire.AuditLine]] = []
    for service in services:
        found += [(service, line) async for line in _lines(stack, service, chosen, limit)]
    found.sort(key=lambda one: one[1].at.ToNanoseconds(), reverse=True)
    return found[:limit]


async def verify(
    stack: Mapping[str, Any], service: str, known: Mapping[int, bytes], shown: Shown
) -> AsyncIterator[wire.AuditOffence | wire.VerifyAuditLogResponse.Verdict]:
    """Have a service prove its log; offences as they come, the verdict last. `shown` is told how
    far it is: the service, lines looked at, of how many.

    Raises:
        StackError: it did not answer.
    """
    request = wire.VerifyAuditLogRequest(
        known_seals=[wire.KnownAuditSeal(number=n, hash=h) for n, h in known.items()]
    )
    async with operator_channel(stack, service) as channel:
        async for told in verify_by(channel, service, request):
            match told.WhichOneof("message"):
                case "progress":
                    shown(service, told.progress.done, told.progress.total)
                case "offence":
                    yield told.offence
                case "verdict":
                    yield told.verdict


def verify_by(
    channel: grpc.aio.Channel, service: str, request: wire.VerifyAuditLogRequest
) -> AsyncIterator[wire.VerifyAuditLogResponse]:
    """Have a service prove its log, by a channel that leads to it.

    Raises:
        StackError: it did not answer.
    """
    return _stream(channel, service, "VerifyAuditLog", request)


async def export(
    stack: Mapping[str, Any], service: str, chosen: wire.AuditFilter
) -> AsyncIterator[wire.ExportAuditLogResponse]:
    """Have a service tell its whole log.

    Raises:
        StackError: it did not answer.
    """
    request = wire.ExportAuditLogRequest(filter=chosen)
    async with operator_channel(stack, service) as channel:
        async for told in _stream(channel, service, "ExportAuditLog", request):
            yield told


async def _lines(
    stack: Mapping[str, Any], service: str, chosen: wire.AuditFilter, limit: int
) -> AsyncIterator[wire.AuditLine]:
    request = wire.ListAuditLinesRequest(filter=chosen, page_size=min(limit, _PAGE))
    async with operator_channel(stack, service) as channel:
        while limit > 0:
            try:
                page = await AuditLogServiceStub(channel).ListAuditLines(
                    request, timeout=_CALL_S, metadata=_meant(service)
                )
            except grpc.aio.AioRpcError as error:
                raise StackError(f"{service}: {error.details()}") from error
            for line in page.lines[:limit]:
                yield line
            limit -= len(page.lines)
            request.page_token = page.next_page_token
            if not page.next_page_token:
                return


async def _stream(
    channel: grpc.aio.Channel, service: str, rpc: str, request: Any
) -> AsyncIterator[Any]:
    method = getattr(AuditLogServiceStub(channel), rpc)
    try:
        async for told in method(request, timeout=_TIMEOUT_S, metadata=_meant(service)):
            yield told
    except grpc.aio.AioRpcError as error:
        raise StackError(f"{service}: {error.details()}") from error


def _meant(service: str) -> tuple[tuple[str, str], ...]:
    return ((SERVICE_HEADER, service),)
