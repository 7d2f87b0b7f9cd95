"""Webhook endpoints in PostgreSQL, and the names of their secrets."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from audit_log.writing import add_in
from chassis.database import Database, Transaction
from payment_svc import audited
from payment_svc.domain.webhook_endpoint import ENDPOINTS_MAX, ShownEndpoint, WebhookEndpoint
from payment_svc.domain.webhook_secret import SecretName
from payment_svc.ports import Asked, KeyReused
from payment_svc.webhooks import records, rows
from payment_svc.webhooks.ports import NoSlotLeft

_COLUMNS = rows.ENDPOINT_COLUMNS
# Two that take the same slot at once: the second one's transaction is run again, and takes another.
_FREE_SLOT = """
SELECT min(s.slot) AS slot FROM generate_series(1, %s) AS s (slot)
WHERE NOT EXISTS (
    SELECT FROM webhook_endpoints AS e
    WHERE e.client_id = %s AND e.slot = s.slot AND e.status <> 'DELETED'
)
"""
_ADD = f"""
INSERT INTO webhook_endpoints (slot, {_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
_ADD_NAME = """
INSERT INTO webhook_secrets (endpoint_id, generation, key_id, created_at)
VALUES (%s, %s, %s, now())
"""
_FIND = f"SELECT {_COLUMNS} FROM webhook_endpoints WHERE endpoint_id = %s AND client_id = %s"
_LIST = f"""
SELECT {_COLUMNS} FROM webhook_endpoints
WHERE client_id = %s AND status <> 'DELETED' AND (created_at, endpoint_id) < (%s, %s)
ORDER BY created_at DESC, endpoint_id DESC LIMIT %s
"""
_DELETE = f"""
UPDATE webhook_endpoints SET status = 'DELETED' WHERE endpoint_id = %s AND client_id = %s
RETURNING {_COLUMNS}
"""
_LOCK = f"{_FIND} AND status <> 'DELETED' FOR UPDATE"
_FIND_NAME = "SELECT key_id FROM webhook_secrets WHERE endpoint_id = %s AND generation = %s"
_NEWEST_NAME = "SELECT max(generation) AS generation FROM webhook_secrets WHERE endpoint_id = %s"
_EXPIRE_NAMES = """
UPDATE webhook_secrets SET expires_at = least(expires_at, now() + %s) WHERE endpoint_id = %s
"""
_END = datetime(9999, 1, 1, tzinfo=UTC)


class PostgresWebhookStore:
    """`ports.WebhookStore` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, asked: Asked, endpoint: WebhookEndpoint, key_id: str
    ) -> ShownEndpoint | KeyReused:
        """See `ports.WebhookStore.create`."""
        return await self._database.run(partial(_create, asked, endpoint, key_id))

    async def find(self, client_id: str, endpoint_id: str) -> WebhookEndpoint | None:
        """See `ports.WebhookStore.find`."""
        found = await self._database.read(_FIND, [endpoint_id, client_id])
        return rows.to_endpoint(found[0]) if found else None

    async def list(
        self, client_id: str, limit: int, after: tuple[datetime, str] | None
    ) -> Sequence[WebhookEndpoint]:
        """See `ports.WebhookStore.list`."""
        created_at, endpoint_id = after or (_END, "")
        found = await self._database.read(_LIST, [client_id, created_at, endpoint_id, limit])
        return [rows.to_endpoint(row) for row in found]

    async def delete(self, client_id: str, endpoint_id: str) -> WebhookEndpoint | None:
        """See `ports.WebhookStore.delete`."""
        return await self._database.run(partial(_delete, client_id, endpoint_id))

    async def rotate(
        self, asked: Asked, endpoint_id: str, key_id: str, overlap: timedelta
    ) -> ShownEndpoint | KeyReused | None:
        """See `ports.WebhookStore.rotate`."""
        return await self._database.run(partial(_rotate, asked, endpoint_id, key_id, overlap))


async def _create(
    asked: Asked, endpoint: WebhookEndpoint, key_id: str, tx: Transaction
) -> ShownEndpoint | KeyReused:
    known = await _replay(asked, tx)
    if known is not None:
        return known
    (free,) = await tx.all(_FREE_SLOT, [ENDPOINTS_MAX, asked.client_id])
    if free["slot"] is None:
        raise NoSlotLeft
    row = (
        free["slot"], endpoint.endpoint_id, endpoint.client_id, endpoint.url,
        list(endpoint.event_types), endpoint.description, endpoint.status.value,
        endpoint.created_at,
    )  # fmt: skip
    await tx.execute(_ADD, row)
    await add_in(tx, [audited.endpoint_made(asked, endpoint, 1)])
    return await _add_secret(asked, endpoint, SecretName(1, key_id), tx)


async def _delete(client_id: str, endpoint_id: str, tx: Transaction) -> WebhookEndpoint | None:
    for row in await tx.all(_LOCK, [endpoint_id, client_id]):
        (deleted,) = await tx.all(_DELETE, [endpoint_id, client_id])
        await add_in(tx, [audited.endpoint_deleted(rows.to_endpoint(row))])
        return rows.to_endpoint(deleted)
    found = await tx.all(_FIND, [endpoint_id, client_id])
    return rows.to_endpoint(found[0]) if found else None


async def _rotate(
    asked: Asked, endpoint_id: str, key_id: str, overlap: timedelta, tx: Transaction
) -> ShownEndpoint | KeyReused | None:
    # Lock, then read: the second of two calls under one key waits here, and sees the first.
    locked = await tx.all(_LOCK, [endpoint_id, asked.client_id])
    known = await _replay(asked, tx)
    if known is not None or not locked:
        return known
    (newest,) = await tx.all(_NEWEST_NAME, [endpoint_id])
    await tx.execute(_EXPIRE_NAMES, [overlap, endpoint_id])
    name = SecretName(newest["generation"] + 1, key_id)
    await add_in(tx, [audited.secret_rotated(asked, endpoint_id, name.generation)])
    return await _add_secret(asked, rows.to_endpoint(locked[0]), name, tx)


async def _add_secret(
    asked: Asked, endpoint: WebhookEndpoint, name: SecretName, tx: Transaction
) -> ShownEndpoint:
    """Add a secret's name, and the record of who asked for it."""
    await tx.execute(_ADD_NAME, [endpoint.endpoint_id, name.generation, name.key_id])
    # The endpoint's id, its status then and the secret's generation: all else never changes or is
    # made from these, and no secret rests here.
    answer = f"{name.generation} {endpoint.status}"
    await records.keep(asked, endpoint.endpoint_id, answer, tx)
    return ShownEndpoint(endpoint, name)


async def _replay(asked: Asked, tx: Transaction) -> ShownEndpoint | KeyReused | None:
    """Tell what the key did before, as it was then."""
    found = await records.find(asked, tx)
    if found is None or isinstance(found, KeyReused):
        return found
    endpoint_id, answer = found
    generation, status = answer.split()
    (row,) = await tx.all(_FIND, [endpoint_id, asked.client_id])
    (secret,) = await tx.all(_FIND_NAME, [endpoint_id, int(generation)])
    name = SecretName(int(generation), secret["key_id"])
    endpoint = rows.to_endpoint({**row, "status": status})
    return ShownEndpoint(endpoint, name, replayed=True)
