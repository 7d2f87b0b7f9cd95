"""What the use cases need from outside."""

from typing import Protocol

from edge_auth.domain.credentials import Client, StoredKey


class ClientStore(Protocol):
    """API clients at rest."""

    async def add(self, client: Client, key: StoredKey) -> bool:
        """Store a client with its first key; False: the id is taken."""
        ...

    async def find(self, client_id: str) -> Client | None:
        """Read a client."""
        ...

    async def find_key(self, key_id: str) -> StoredKey | None:
        """Read a key that is not revoked."""
        ...
