"""The outbox's relay: the real one, over a database that knows its two statements and a Redis that
keeps what it is given.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, cast

from redis.asyncio import Redis

from chassis.database import Database
from chassis.faults import FaultPoints
from payment_svc.outbox import Relay
from tests.simulation.clockwork import EPOCH
from tests.simulation.payments import OutboxRow, Payments

_PAGE = 500


class OutboxTable:
    """What `Relay` asks of `chassis.database.Database`."""

    def __init__(self, payments: Payments) -> None:
        self.payments = payments

    async def read(self, query: str, _: Sequence[object]) -> list[dict[str, Any]]:
        """Answer the relay's query: a page of what is unpublished, the oldest first."""
        if "published_at IS NULL" not in query:
            raise AssertionError(query)
        return await self.payments.disk.run(lambda: [_columns(row) for row in self.page()])

    def page(self) -> list[OutboxRow]:
        """Find a page of what is unpublished, the oldest first."""
        waiting = [row for row in self.payments.outbox if not row.is_published]
        return sorted(waiting, key=lambda row: row.event_id)[:_PAGE]

    async def run(self, work: Callable[[Any], Awaitable[int]], *, alone: bool) -> int:
        """Run the relay's update."""
        return await work(self)

    async def execute(self, query: str, parameters: Sequence[Sequence[int]]) -> int:
        """Do the relay's update: these are published."""
        if "SET published_at" not in query:
            raise AssertionError(query)

        def mark() -> int:
            for row in self.payments.outbox:
                row.is_published |= row.event_id in parameters[0]
            return len(parameters[0])

        return await self.payments.disk.run(mark)


class Stream:
    """What `Relay` asks of Redis; who listens has all that was ever added."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []

    def pipeline(self, *, transaction: bool) -> "Stream":
        """See `redis.asyncio.Redis`."""
        return self

    async def __aenter__(self) -> "Stream":
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    def xadd(self, _: str, fields: dict[str, Any], *, maxlen: int, approximate: bool) -> None:
        """See `redis.asyncio.Redis`."""
        self.heard.append(fields)

    async def execute(self) -> None:
        """See `redis.asyncio.Redis`."""


def relay_of(table: OutboxTable, stream: Stream) -> Relay:
    """Make the real relay over these."""
    return Relay(cast("Database", table), cast("Redis", stream), "events.payment", FaultPoints())


def _columns(row: OutboxRow) -> dict[str, Any]:
    created_at: datetime = EPOCH
    return {
        "event_id": row.event_id,
        "object_id": row.event.object_id,
        "sequence": row.event.sequence,
        "type": row.event.type,
        "payload": dict(row.event.payload),
        "created_at": created_at,
    }
