"""API clients in PostgreSQL. Secrets stand there sealed."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from audit_log.origin import by_caller
from audit_log.writing import add_in
from chassis.database import Database, Transaction
from chassis.encryption import Keyring, Undecipherable
from chassis.telemetry import logger
from edge_auth.domain.credentials import (
    Caller,
    Change,
    Client,
    Credential,
    Kind,
    Secret,
    StoredKey,
    check_rotation,
)
from edge_auth.domain.errors import ClientNotFound, CredentialNotFound
from edge_auth.domain.scopes import Scope
from edge_auth.former_seals import FormerSeals
from edge_auth.ports import Details
from edge_auth.private import SIGNING_SECRET

_ADD_CLIENT = """
INSERT INTO clients (client_id, display_name, created_at, scopes, signing)
VALUES (%s, %s, %s, %s, %s) ON CONFLICT (client_id) DO NOTHING
"""
_ADD_KEY = """
INSERT INTO api_keys (key_id, client_id, secret_hash, created_at) VALUES (%s, %s, %s, %s)
"""
_ADD_SIGNING = """
INSERT INTO signing_secrets (secret_id, client_id, value_encrypted, created_at)
VALUES (%s, %s, %s, %s)
"""
_ADD_CHANGE = """
INSERT INTO client_changes (change_id, client_id, at, actor, action, detail, reason)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
_CLIENT: LiteralString = """
client_id, display_name, created_at, scopes, signing, requests_per_second, burst, revoked_at
"""
_FIND: LiteralString = f"SELECT {_CLIENT} FROM clients WHERE client_id = %s"
_LOCK: LiteralString = f"{_FIND} FOR UPDATE"
_LIST: LiteralString = (
    f"SELECT {_CLIENT} FROM clients WHERE client_id > %s ORDER BY client_id LIMIT %s"
)
_CREDENTIALS = """
SELECT key_id AS credential_id, 'API_KEY' AS kind, created_at, expires_at, revoked_at
FROM api_keys WHERE client_id = %(client_id)s
UNION ALL
SELECT secret_id, 'SECRET', created_at, expires_at, revoked_at
FROM signing_secrets WHERE client_id = %(client_id)s
ORDER BY created_at DESC, credential_id
"""
_CHANGES = """
SELECT client_id, at, actor, action, detail, reason FROM client_changes
WHERE client_id = %s ORDER BY at DESC, change_id LIMIT 50
"""
_FIND_KEY: LiteralString = f"""
SELECT k.key_id, k.secret_hash, k.expires_at AS key_expires_at, c.*
FROM api_keys AS k JOIN (SELECT {_CLIENT} FROM clients) AS c USING (client_id)
WHERE k.key_id = %(key_id)s AND k.revoked_at IS NULL AND c.revoked_at IS NULL
  AND (k.expires_at IS NULL OR k.expires_at > %(now)s)
"""
_FIND_SECRETS = """
SELECT secret_id, value_encrypted, sealed, expires_at FROM signing_secrets
WHERE client_id = %s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > %s)
"""
_END: Mapping[Kind, LiteralString] = {
    Kind.KEY: "UPDATE api_keys SET expires_at = %s WHERE key_id = %s",
    Kind.SIGNING: "UPDATE signing_secrets SET expires_at = %s WHERE secret_id = %s",
}
_REVOKE: Mapping[Kind, LiteralString] = {
    Kind.KEY: "UPDATE api_keys SET revoked_at = %s WHERE key_id = %s",
    Kind.SIGNING: "UPDATE signing_secrets SET revoked_at = %s WHERE secret_id = %s",
}
_REVOKE_CLIENT: LiteralString = f"""
UPDATE clients SET revoked_at = %s WHERE client_id = %s RETURNING {_CLIENT}
"""
_SET_LIMIT: LiteralString = f"""
UPDATE clients SET requests_per_second = %s, burst = %s WHERE client_id = %s RETURNING {_CLIENT}
"""


class PostgresClientStore:
    """`ports.ClientStore` on PostgreSQL.

    Args:
        former: opens secrets that were stored before they were encrypted as now.
        new_id: makes the ids of changes.
    """

    def __init__(self, database: Database, former: FormerSeals, new_id: Callable[[], UUID]) -> None:
        self._database = database
        self._former = former
        self._new_id = new_id

    async def add(self, client: Client, key: StoredKey, secret: Secret, change: Change) -> bool:
        """See `ports.ClientStore.add`."""

        async def work(tx: Transaction) -> bool:
            row = [client.client_id, client.display_name, client.created_at]
            if await tx.execute(_ADD_CLIENT, [*row, list(client.scopes), client.signing]) == 0:
                return False
            await self._add(tx, key, change)
            await self._add(tx, secret, change)
            after = {
                "display_name": client.display_name,
                "scopes": ",".join(sorted(client.scopes)),
                "signing": client.signing,
                "key_id": key.key_id,
            }
            await self._note(tx, change, after=after)
            return True

        return await self._database.run(work)

    async def find(self, client_id: str) -> Details | None:
        """See `ports.ClientStore.find`."""

        async def work(tx: Transaction) -> Details | None:
            rows = await tx.all(_FIND, [client_id])
            if not rows:
                return None
            credentials = await _credentials(tx, client_id)
            changes = [Change(**row) for row in await tx.all(_CHANGES, [client_id])]
            return Details(_client(rows[0]), credentials, changes)

        return await self._database.run(work)

    async def list(self, after: str, limit: int) -> Sequence[Client]:
        """See `ports.ClientStore.list`."""
        return [_client(row) for row in await self._database.read(_LIST, [after, limit])]

    async def find_caller(self, key_id: str, now: datetime) -> Caller | None:
        """See `ports.ClientStore.find_caller`."""
        rows = await self._database.read(_FIND_KEY, {"key_id": key_id, "now": now})
        if not rows:
            return None
        client = _client(rows[0])
        key = StoredKey(key_id, client.client_id, rows[0]["secret_hash"])

        async def work(tx: Transaction) -> list[Secret | None]:
            found = await tx.all(_FIND_SECRETS, [client.client_id, now])
            return [self._opened(tx.keyring, row) for row in found]

        opened = await self._database.run(work, alone=True)
        secrets = [secret for secret in opened if secret is not None]
        return Caller(client, key, tuple(secrets), rows[0]["key_expires_at"])

    async def rotate(
        self, fresh: StoredKey | Secret, ends_at: datetime, change: Change
    ) -> datetime | None:
        """See `ports.ClientStore.rotate`."""
        kind = Kind.SIGNING if isinstance(fresh, Secret) else Kind.KEY

        async def work(tx: Transaction) -> datetime | None:
            client = await _locked(tx, change.client_id)
            of_kind = [c for c in await _credentials(tx, client.client_id) if c.kind is kind]
            live = [credential for credential in of_kind if credential.is_live(change.at)]
            check_rotation(client, live)
            ends = {old.credential_id: min(old.expires_at or ends_at, ends_at) for old in live}
            for credential_id, end in ends.items():
                await tx.execute(_END[kind], [end, credential_id])
            await self._add(tx, fresh, change)
            ended, last = ",".join(sorted(ends)), max(ends.values(), default=None)
            before = {"kind": kind, "credential_id": ended} if live else {"kind": kind}
            after = {"credential_id": change.detail, "old_ends_at": last}
            await self._note(tx, change, before, after)
            return last

        return await self._database.run(work)

    async def revoke(self, credential_id: str, change: Change) -> Client:
        """See `ports.ClientStore.revoke`."""

        async def work(tx: Transaction) -> Client:
            client = await _locked(tx, change.client_id)
            if not credential_id:
                return client if client.revoked_at else await self._revoke_client(tx, change)
            known = await _credentials(tx, client.client_id)
            meant = next((c for c in known if c.credential_id == credential_id), None)
            if meant is None:
                raise CredentialNotFound(client.client_id, credential_id)
            if meant.revoked_at is None:
                await tx.execute(_REVOKE[meant.kind], [change.at, credential_id])
                await self._note(
                    tx,
                    change,
                    {f"{meant.kind} {credential_id}": "live"},
                    {f"{meant.kind} {credential_id}": "revoked"},
                )
            return client

        return await self._database.run(work)

    async def set_limit(
        self, requests_per_second: int | None, burst: int | None, change: Change
    ) -> Client:
        """See `ports.ClientStore.set_limit`."""

        async def work(tx: Transaction) -> Client:
            before = await _locked(tx, change.client_id)
            (row,) = await tx.all(_SET_LIMIT, [requests_per_second, burst, change.client_id])
            await self._note(tx, change, _limits(before), _limits(_client(row)))
            return _client(row)

        return await self._database.run(work)

    async def _revoke_client(self, tx: Transaction, change: Change) -> Client:
        rows = await tx.all(_REVOKE_CLIENT, [change.at, change.client_id])
        await self._note(tx, change, {"status": "live"}, {"status": "revoked"})
        return _client(rows[0])

    async def _add(self, tx: Transaction, fresh: StoredKey | Secret, change: Change) -> None:
        if isinstance(fresh, StoredKey):
            row = [fresh.key_id, change.client_id, fresh.secret_hash, change.at]
            await tx.execute(_ADD_KEY, row)
            return
        kept = tx.keyring.encrypt(SIGNING_SECRET, fresh.secret_id, fresh.value)
        await tx.execute(_ADD_SIGNING, [fresh.secret_id, change.client_id, kept, change.at])

    async def _note(
        self,
        tx: Transaction,
        change: Change,
        before: Mapping[str, object] | None = None,
        after: Mapping[str, object] | None = None,
    ) -> None:
        told = [change.actor, change.action, change.detail, change.reason]
        await tx.execute(_ADD_CHANGE, [self._new_id(), change.client_id, change.at, *told])
        line = by_caller(
            f"edge_auth/{change.action}",
            "client",
            change.client_id,
            reason=change.reason,
            before=before,
            after=after,
        )
        await add_in(tx, [line])

    def _opened(self, keyring: Keyring, row: Mapping[str, Any]) -> Secret | None:
        """Open a secret; one that cannot be opened signs nothing, and an operator has to know."""
        secret_id = row["secret_id"]
        try:
            value = keyring.decrypt(SIGNING_SECRET, secret_id, row["value_encrypted"])
            if value is None:
                value = self._former.open(secret_id, row["sealed"])
        except Undecipherable as error:
            logger().error("secret_unreadable", error=error, subject_id=secret_id)
            return None
        return Secret(secret_id, value.decode(), row["expires_at"])


def _limits(client: Client) -> dict[str, object]:
    per_second = client.requests_per_second
    return {
        "requests_per_second": "default" if per_second is None else per_second,
        "burst": "default" if client.burst is None else client.burst,
    }


async def _locked(tx: Transaction, client_id: str) -> Client:
    rows = await tx.all(_LOCK, [client_id])
    if not rows:
        raise ClientNotFound(client_id)
    return _client(rows[0])


async def _credentials(tx: Transaction, client_id: str) -> Sequence[Credential]:
    rows = await tx.all(_CREDENTIALS, {"client_id": client_id})
    return [Credential(**{**row, "kind": Kind(row["kind"])}) for row in rows]


def _client(row: Mapping[str, Any]) -> Client:
    names = Client.__dataclass_fields__
    scopes = tuple(Scope(scope) for scope in row["scopes"])
    return Client(**{name: row[name] for name in names if name != "scopes"}, scopes=scopes)
