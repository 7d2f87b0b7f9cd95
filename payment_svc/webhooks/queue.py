"""Webhook deliveries in PostgreSQL: the table is the queue, as it is for sagas.

`due_at` says when a delivery is looked at: while it is being sent, when the lease ends. All times
that decide who may send are the database's.
"""

from collections.abc import Sequence
from datetime import timedelta

from chassis.coalescer import Coalescer
from chassis.database import Database, columns
from payment_svc.domain.webhook_delivery import Attempt, Delivery, DeliveryStatus, Verdict
from payment_svc.webhooks import rows
from payment_svc.webhooks.ports import LostDelivery

# Per endpoint the oldest that are due, as many as it has room for: its backlog, however long, is
# neither read through nor in the way of others. The first part hops from endpoint to endpoint along
# the index of what is pending (PostgreSQL has no skip scan over ranges); instances that claim at
# the same moment may for that moment go over the room.
_CLAIM = """
WITH RECURSIVE pending AS (
    (SELECT endpoint_id FROM webhook_deliveries WHERE status = 'PENDING'
        ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    SELECT (SELECT d.endpoint_id FROM webhook_deliveries AS d
        WHERE d.status = 'PENDING' AND d.endpoint_id > p.endpoint_id
        ORDER BY d.endpoint_id LIMIT 1)
    FROM pending AS p WHERE p.endpoint_id IS NOT NULL
), due AS (
    SELECT d.delivery_id, d.due_at FROM pending AS p
    CROSS JOIN LATERAL (
        SELECT delivery_id, due_at FROM webhook_deliveries
        WHERE endpoint_id = p.endpoint_id AND status = 'PENDING' AND due_at <= now()
        ORDER BY due_at, delivery_id
        LIMIT greatest(0, %(per_endpoint)s - (
            SELECT count(*) FROM webhook_deliveries AS h
            WHERE h.endpoint_id = p.endpoint_id AND h.lease_owner IS NOT NULL
                AND h.due_at > now()
        ))
    ) AS d
    ORDER BY d.due_at, d.delivery_id LIMIT %(limit)s
), taken AS (
    SELECT delivery_id FROM webhook_deliveries
    WHERE delivery_id IN (SELECT delivery_id FROM due)
        AND status = 'PENDING' AND due_at <= now()
    FOR UPDATE SKIP LOCKED
)
UPDATE webhook_deliveries AS d
SET lease_owner = %(owner)s, epoch = d.epoch + 1, due_at = now() + %(lease)s
FROM taken, webhook_endpoints AS e, outbox AS o
WHERE d.delivery_id = taken.delivery_id AND e.endpoint_id = d.endpoint_id
    AND o.object_id = d.object_id AND o.sequence = d.sequence
RETURNING d.delivery_id, d.epoch, d.endpoint_id, d.attempts, d.tries, d.since,
    e.client_id, e.url, e.status AS endpoint_status,
    o.object_id, o.sequence, o.type, o.payload, o.created_at AS event_created_at,
    ARRAY(
        SELECT s.generation || ':' || s.key_id FROM webhook_secrets AS s
        WHERE s.endpoint_id = d.endpoint_id AND (s.expires_at IS NULL OR s.expires_at > now())
        ORDER BY s.generation DESC
    ) AS secrets
"""
_UPDATE = """
UPDATE webhook_deliveries AS d SET status = u.status, attempts = u.attempt, tries = d.tries + 1,
    due_at = now() + u.pause, lease_owner = NULL,
    delivered_at = CASE WHEN u.status = 'DELIVERED' THEN now() ELSE d.delivered_at END
FROM unnest(%b::bigint[], %b::bigint[], %b::text[], %b::int[], %b::interval[], %b::timestamptz[],
    %b::int[], %b::int[], %b::text[])
    AS u (delivery_id, epoch, status, attempt, pause, started_at, duration_ms, http_status,
    failure)
WHERE d.delivery_id = u.delivery_id AND d.epoch = u.epoch
RETURNING u.*
"""
# Fenced by what the first part has kept.
_RECORD = f"""
WITH kept AS ({_UPDATE}), tried AS (
    INSERT INTO webhook_attempts (delivery_id, attempt, started_at, duration_ms, http_status,
        failure)
    SELECT delivery_id, attempt, started_at, duration_ms, http_status, failure FROM kept
)
SELECT delivery_id FROM kept
"""
_DISABLE = """
UPDATE webhook_endpoints SET status = 'DISABLED'
WHERE endpoint_id = ANY(%s) AND status = 'ENABLED'
"""
_RELEASE_OWN = """
UPDATE webhook_deliveries SET due_at = now(), lease_owner = NULL, epoch = epoch + 1
WHERE lease_owner = %s
"""
_COUNT_DUE = """
SELECT count(*) AS due FROM webhook_deliveries WHERE status = 'PENDING' AND due_at <= now()
"""

_Result = tuple[Delivery, Attempt, Verdict]


class PostgresWebhookQueue:
    """`ports.WebhookQueue` on PostgreSQL.

    Args:
        owner: this instance's name; stable over restarts, unique among instances.
        lease: how long a delivery stays ours; longer than sending and recording can take.
        per_endpoint: how many of an endpoint's deliveries are sent at once.
    """

    def __init__(
        self, database: Database, *, owner: str, lease: timedelta, per_endpoint: int
    ) -> None:
        self._database = database
        self._owner = owner
        self._lease = lease
        self._per_endpoint = per_endpoint
        self._recording: Coalescer[_Result, bool] = Coalescer(self._record_all)

    async def claim(self, limit: int) -> Sequence[Delivery]:
        """See `ports.WebhookQueue.claim`."""
        parameters = {
            "owner": self._owner,
            "lease": self._lease,
            "per_endpoint": self._per_endpoint,
            "limit": limit,
        }
        found = await self._database.read(_CLAIM, parameters)
        return [rows.to_delivery(row) for row in found]

    async def record(self, delivery: Delivery, attempt: Attempt, verdict: Verdict) -> None:
        """See `ports.WebhookQueue.record`."""
        if not await self._recording.submit((delivery, attempt, verdict)):
            raise LostDelivery(delivery.event.event_id)

    async def release_own(self) -> int:
        """See `ports.WebhookQueue.release_own`."""
        return await self._database.run(lambda tx: tx.execute(_RELEASE_OWN, [self._owner]))

    async def count_due(self) -> int:
        """Count the deliveries that are due."""
        (row,) = await self._database.read(_COUNT_DUE)
        return int(row["due"])

    async def _record_all(self, results: Sequence[_Result]) -> Sequence[bool]:
        gone = [d.endpoint_id for d, _, verdict in results if verdict.disables_endpoint]
        if gone:
            await self._database.run(lambda tx: tx.execute(_DISABLE, [gone]), alone=True)
        rows = [_row(*result) for result in results]
        kept = await self._database.read(_RECORD, columns(rows, 9))
        ours = {row["delivery_id"] for row in kept}
        return [delivery.delivery_id in ours for delivery, _, _ in results]


def _row(delivery: Delivery, attempt: Attempt, verdict: Verdict) -> tuple[object, ...]:
    pause = verdict.pause if verdict.status is DeliveryStatus.PENDING else None
    return (
        delivery.delivery_id, delivery.epoch, verdict.status.value, delivery.attempts + 1, pause,
        attempt.started_at, round(attempt.duration / timedelta(milliseconds=1)),
        attempt.http_status, attempt.failure.value if attempt.failure else None,
    )  # fmt: skip
