"""What happened and what was told of it, in PostgreSQL: lists, and telling again."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from audit_log.writing import add_in
from chassis.database import Database, Transaction
from payment_svc import audited
from payment_svc.domain.webhook_endpoint import WebhookEndpoint
from payment_svc.ports import Asked, KeyReused
from payment_svc.rows import Row
from payment_svc.webhooks import records, rows
from payment_svc.webhooks.ports import DeliveryView, EventPage, EventPlace

# A row's time is that of its transaction's begin, and `Database` ends a transaction after 10 s:
# before what is older than 15 s nothing appears any more, unless a process was frozen in the middle
# of one and thawed later. Deliveries do not depend on it.
_EVENT = """
SELECT event_id, object_id, sequence, type, payload, created_at AS event_created_at,
    created_at < now() - interval '15 seconds' AS settled
FROM outbox
"""
_EVENTS = f"""
{_EVENT} WHERE client_id = %(client_id)s AND (created_at, event_id) > (%(at)s, %(number)s)
ORDER BY created_at, event_id LIMIT %(limit)s
"""
_EVENTS_OF = f"""
{_EVENT} WHERE object_id = %(object_id)s AND client_id = %(client_id)s
    AND (created_at, event_id) > (%(at)s, %(number)s)
ORDER BY created_at, event_id LIMIT %(limit)s
"""
_DELIVERIES = """
SELECT delivery_id, object_id, sequence, type, status, attempts, created_at, due_at, delivered_at
FROM webhook_deliveries WHERE endpoint_id = %s AND delivery_id < %s
ORDER BY delivery_id DESC LIMIT %s
"""
_ATTEMPTS = """
SELECT a.delivery_id, a.attempt, a.started_at, a.duration_ms, a.http_status, a.failure
FROM unnest(%s::bigint[]) AS d (delivery_id)
CROSS JOIN LATERAL (
    SELECT * FROM webhook_attempts WHERE delivery_id = d.delivery_id ORDER BY attempt DESC LIMIT 30
) AS a
ORDER BY a.delivery_id, a.attempt
"""
# What is being sent at this moment stays as it is: its outcome is about to come.
_AGAIN = """
ON CONFLICT (endpoint_id, object_id, sequence) DO UPDATE
    SET status = 'PENDING', due_at = now(), since = now(), tries = 0
    WHERE webhook_deliveries.lease_owner IS NULL
"""
_REDELIVER = f"""
INSERT INTO webhook_deliveries (endpoint_id, object_id, sequence, type)
SELECT %(endpoint_id)s, object_id, sequence, type FROM outbox
WHERE object_id = %(object_id)s AND sequence = %(sequence)s AND client_id = %(client_id)s
{_AGAIN}
"""
_FIND_EVENT = """
SELECT 1 FROM outbox WHERE object_id = %(object_id)s AND sequence = %(sequence)s
    AND client_id = %(client_id)s
"""
_WANTED_SINCE = """
SELECT object_id, sequence, type, created_at FROM outbox
WHERE client_id = %(client_id)s AND created_at >= %(since)s
    AND (%(types)s::text[] = '{}' OR type = ANY(%(types)s::text[]))
ORDER BY created_at, event_id LIMIT %(limit)s
"""
_REDELIVER_ALL = f"""
INSERT INTO webhook_deliveries (endpoint_id, object_id, sequence, type)
SELECT %s, object_id, sequence, type
FROM unnest(%s::text[], %s::int[], %s::text[]) AS n (object_id, sequence, type)
{_AGAIN}
"""
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER_MAX = 2**63 - 1


class PostgresWebhookLog:
    """`ports.WebhookLog` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def events(
        self, client_id: str, object_id: str | None, limit: int, after: EventPlace | None
    ) -> EventPage:
        """See `ports.WebhookLog.events`."""
        place = after or EventPlace(_BEGINNING, 0)
        parameters = {
            "client_id": client_id,
            "object_id": object_id,
            "at": place.created_at,
            "number": place.number,
            "limit": limit,
        }
        query = _EVENTS if object_id is None else _EVENTS_OF
        found = await self._database.read(query, parameters)
        settled = [row for row in found if row["settled"]]
        last = settled[-1] if settled else None
        return EventPage(
            [rows.to_event(row) for row in found],
            after if last is None else EventPlace(last["event_created_at"], last["event_id"]),
        )

    async def deliveries(
        self, endpoint_id: str, limit: int, before: int | None
    ) -> Sequence[DeliveryView]:
        """See `ports.WebhookLog.deliveries`."""

        async def work(tx: Transaction) -> list[DeliveryView]:
            found = await tx.all(_DELIVERIES, [endpoint_id, before or _NUMBER_MAX, limit])
            counts = {row["delivery_id"]: row["attempts"] for row in found}
            attempts: dict[int, list[Row]] = defaultdict(list)
            for row in await tx.all(_ATTEMPTS, [list(counts)]):
                # One made meanwhile belongs to a state that was not read.
                if row["attempt"] <= counts[row["delivery_id"]]:
                    attempts[row["delivery_id"]].append(row)
            return [rows.to_view(row, attempts[row["delivery_id"]]) for row in found]

        return await self._database.run(work)

    async def redeliver(
        self, endpoint: WebhookEndpoint, object_id: str, sequence: int, asked: Asked | None = None
    ) -> bool | KeyReused:
        """See `ports.WebhookLog.redeliver`."""
        parameters = {
            "endpoint_id": endpoint.endpoint_id,
            "client_id": endpoint.client_id,
            "object_id": object_id,
            "sequence": sequence,
        }

        async def work(tx: Transaction) -> bool | KeyReused:
            known = await records.find(asked, tx) if asked else None
            if known is not None:
                return known if isinstance(known, KeyReused) else True
            if not await tx.all(_FIND_EVENT, parameters):
                return False
            await tx.execute(_REDELIVER, parameters)
            again = {"event": f"{object_id}/{sequence}"}
            await add_in(tx, [audited.redelivered(endpoint, again)])
            if asked:
                await records.keep(asked, endpoint.endpoint_id, "1", tx)
            return True

        return await self._database.run(work)

    async def redeliver_since(
        self, endpoint: WebhookEndpoint, since: datetime, limit: int, asked: Asked | None = None
    ) -> tuple[int, datetime | None] | KeyReused:
        """See `ports.WebhookLog.redeliver_since`."""
        return await self._database.run(partial(_redeliver_since, endpoint, since, limit, asked))


async def _redeliver_since(
    endpoint: WebhookEndpoint, since: datetime, limit: int, asked: Asked | None, tx: Transaction
) -> tuple[int, datetime | None] | KeyReused:
    known = await records.find(asked, tx) if asked else None
    if known is not None:
        return known if isinstance(known, KeyReused) else _read(known[1])
    parameters = {
        "client_id": endpoint.client_id,
        "since": since,
        "types": list(endpoint.event_types),
        "limit": limit + 1,  # the one too many tells where to go on
    }
    found = await tx.all(_WANTED_SINCE, parameters)
    wanted, rest = found[:limit], found[limit:]
    names = [[row[name] for row in wanted] for name in ("object_id", "sequence", "type")]
    await tx.execute(_REDELIVER_ALL, [endpoint.endpoint_id, *names])
    again = {"since": since, "events": len(wanted)}
    await add_in(tx, [audited.redelivered(endpoint, again)])
    next_since = rest[0]["created_at"] if rest else None
    if asked:
        answer = f"{len(wanted)} {next_since.isoformat() if next_since else ''}"
        await records.keep(asked, endpoint.endpoint_id, answer, tx)
    return len(wanted), next_since


def _read(answer: str) -> tuple[int, datetime | None]:
    count, _, next_since = answer.partition(" ")
    return int(count), datetime.fromisoformat(next_since) if next_since else None
