"""API clients in PostgreSQL."""

from audit_log.origin import by_caller
from audit_log.writing import add_in
from chassis.database import Database, Transaction
from edge_auth.domain.credentials import Client, StoredKey

_ADD_CLIENT = """
INSERT INTO clients (client_id, display_name, created_at) VALUES (%s, %s, %s)
ON CONFLICT (client_id) DO NOTHING
"""
_ADD_KEY = """
INSERT INTO api_keys (key_id, client_id, secret_hash, created_at) VALUES (%s, %s, %s, %s)
"""
_FIND_CLIENT = "SELECT client_id, display_name, created_at FROM clients WHERE client_id = %s"
_FIND_KEY = """
SELECT key_id, client_id, secret_hash FROM api_keys WHERE key_id = %s AND revoked_at IS NULL
"""


class PostgresClientStore:
    """`ports.ClientStore` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, client: Client, key: StoredKey) -> bool:
        """See `ports.ClientStore.add`."""

        async def work(tx: Transaction) -> bool:
            row = [client.client_id, client.display_name, client.created_at]
            if await tx.execute(_ADD_CLIENT, row) == 0:
                return False
            values = [key.key_id, key.client_id, key.secret_hash, client.created_at]
            await tx.execute(_ADD_KEY, values)
            after = {"display_name": client.display_name, "key_id": key.key_id}
            told = by_caller("edge_auth/CreateClient", "client", client.client_id, after=after)
            await add_in(tx, [told])
            return True

        return await self._database.run(work)

    async def find(self, client_id: str) -> Client | None:
        """See `ports.ClientStore.find`."""
        rows = await self._database.read(_FIND_CLIENT, [client_id])
        return Client(**rows[0]) if rows else None

    async def find_key(self, key_id: str) -> StoredKey | None:
        """See `ports.ClientStore.find_key`."""
        rows = await self._database.read(_FIND_KEY, [key_id])
        return StoredKey(**rows[0]) if rows else None
