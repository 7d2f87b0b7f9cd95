"""Events by outbox: written with the change, published to a Redis stream after it, at least once.

Rows survive their publishing; each carries a sequence number of its object, so that consumers can
drop what is old.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from chassis.database import Database, Write
from chassis.faults import FaultPoints
from chassis.telemetry import OUTBOX_BACKLOG

_PAGE = 500
_STREAM_LENGTH_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Event:
    """A fact for others: the `sequence`th about `object_id`."""

    object_id: str
    sequence: int
    type: str
    payload: Mapping[str, str]


def record(events: Sequence[Event]) -> Write:
    """Make the write of events, for the transaction that makes them true: it must find out itself
    when somebody else has told the `sequence`th fact first.
    """
    return Write(
        "INSERT INTO outbox (object_id, sequence, type, payload)"
        " SELECT * FROM unnest(%b::text[], %b::int[], %b::text[], %b::jsonb[])"
        " ON CONFLICT (object_id, sequence) DO NOTHING",
        [(e.object_id, e.sequence, e.type, json.dumps(e.payload)) for e in events],
        4,
    )


class Relay:
    """Publishes what the outbox holds to the Redis stream `stream`; about 100,000 stay there."""

    def __init__(self, database: Database, redis: Redis, stream: str, faults: FaultPoints) -> None:
        self._database, self._redis = database, redis
        self._stream, self._faults = stream, faults

    async def publish(self) -> int:
        """Publish one page of unpublished events, the oldest first; tell how many there were.

        Raises:
            redis.RedisError: Redis did not take them; they stay unpublished.
        """
        rows = await self._database.read(
            "SELECT event_id, object_id, sequence, type, payload::text AS payload, created_at"
            " FROM outbox WHERE published_at IS NULL ORDER BY event_id LIMIT %s",
            [_PAGE],
        )
        OUTBOX_BACKLOG.set(len(rows))
        if not rows:
            return 0
        async with self._redis.pipeline(transaction=False) as pipe:
            for row in rows:
                fields: dict[Any, Any] = {**row, "created_at": row["created_at"].isoformat()}
                pipe.xadd(self._stream, fields, maxlen=_STREAM_LENGTH_MAX, approximate=True)
            await pipe.execute()
        await self._faults.reach("events.published")
        published = [row["event_id"] for row in rows]
        await self._database.run(
            lambda tx: tx.execute(
                "UPDATE outbox SET published_at = now() WHERE event_id = ANY(%s)", [published]
            ),
            alone=True,
        )
        return len(rows)
