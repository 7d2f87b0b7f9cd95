"""Has each service prove its audit log, and that what it changed is in it."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import grpc
from paymesh.audit.v1 import audit_log_service_pb2 as wire

from devstack.audit.databases import Tell
from devstack.audit.facts import LogFact
from devstack.audit.verdict import SHOWN
from devstack.audit_log import calls
from devstack.reach import operator_channel
from devstack.state import StackError


async def prove_logs(
    stack: Mapping[str, Any], since: datetime | None, tell: Tell
) -> Sequence[LogFact]:
    """Ask every service of a stack that has an audit log.

    Args:
        stack: stack.json's content.
        since: look for changes without a line from then on; all lines are proved nevertheless.
        tell: is given a line for each log.

    Raises:
        StackError: a service did not answer, or stopped before it was done.
    """
    there = [service for service in calls.SERVICES if service in stack["services"]]
    return await asyncio.gather(*(_prove(stack, service, since, tell) for service in there))


async def _prove(
    stack: Mapping[str, Any], service: str, since: datetime | None, tell: Tell
) -> LogFact:
    async with operator_channel(stack, service) as channel:
        return await prove_log(channel, service, since, tell)


async def prove_log(
    channel: grpc.aio.Channel, service: str, since: datetime | None, tell: Tell
) -> LogFact:
    """Ask one service by a channel to it; see `prove_logs`."""
    request = wire.VerifyAuditLogRequest()
    if since is not None:
        request.changed_since.FromDatetime(since)
    offences: list[tuple[str, str]] = []
    async for told in calls.verify_by(channel, service, request):
        which = told.WhichOneof("message")
        if which == "offence" and len(offences) < SHOWN:
            one = told.offence
            offences.append((one.subject, f"{one.kind}: {one.message}"))
        elif which == "verdict":
            count = told.verdict.line_count
            tell(f"{service}: {count:,} lines of its audit log proven")
            return LogFact(service, count, tuple(offences), told.verdict.offence_count)
    raise StackError(f"{service} stopped its proof before it was done")
