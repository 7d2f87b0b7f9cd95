"""`edge_auth.ports.ClientStore` in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

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
from edge_auth.ports import Details


class KnownClients:
    """Keeps clients as long as it lives."""

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}
        self._made: dict[str, StoredKey | Secret] = {}
        self._owners: dict[str, str] = {}
        self._credentials: dict[str, Credential] = {}
        self._changes: list[Change] = []

    async def add(self, client: Client, key: StoredKey, secret: Secret, change: Change) -> bool:
        """See `ports.ClientStore.add`."""
        if client.client_id in self._clients:
            return False
        self._clients[client.client_id] = client
        self._keep(key, change)
        self._keep(secret, change)
        self._changes.append(change)
        return True

    async def find(self, client_id: str) -> Details | None:
        """See `ports.ClientStore.find`."""
        client = self._clients.get(client_id)
        if client is None:
            return None
        credentials = sorted(self._of(client_id), key=lambda c: c.created_at, reverse=True)
        changes = [change for change in self._changes if change.client_id == client_id]
        return Details(client, credentials, changes[:-51:-1])

    async def list(self, after: str, limit: int) -> Sequence[Client]:
        """See `ports.ClientStore.list`."""
        found = sorted(name for name in self._clients if name > after)
        return [self._clients[name] for name in found[:limit]]

    async def find_caller(self, key_id: str, now: datetime) -> Caller | None:
        """See `ports.ClientStore.find_caller`."""
        known = self._credentials.get(key_id)
        key = self._made.get(key_id)
        if known is None or not isinstance(key, StoredKey) or not known.is_live(now):
            return None
        client = self._clients[self._owners[key_id]]
        if client.revoked_at is not None:
            return None
        secrets = tuple(
            replace(made, expires_at=credential.expires_at)
            for credential in self._of(client.client_id)
            if isinstance(made := self._made[credential.credential_id], Secret)
            and credential.is_live(now)
        )
        return Caller(client, key, secrets, known.expires_at)

    async def rotate(
        self, fresh: StoredKey | Secret, ends_at: datetime, change: Change
    ) -> datetime | None:
        """See `ports.ClientStore.rotate`."""
        client = self._known(change.client_id)
        kind = Kind.SIGNING if isinstance(fresh, Secret) else Kind.KEY
        of_kind = [c for c in self._of(client.client_id) if c.kind is kind]
        live = [credential for credential in of_kind if credential.is_live(change.at)]
        check_rotation(client, live)
        ends = {old.credential_id: min(old.expires_at or ends_at, ends_at) for old in live}
        for old in live:
            self._credentials[old.credential_id] = replace(old, expires_at=ends[old.credential_id])
        self._keep(fresh, change)
        self._changes.append(change)
        return max(ends.values(), default=None)

    async def revoke(self, credential_id: str, change: Change) -> Client:
        """See `ports.ClientStore.revoke`."""
        client = self._known(change.client_id)
        if not credential_id:
            if client.revoked_at is None:
                client = replace(client, revoked_at=change.at)
                self._clients[client.client_id] = client
                self._changes.append(change)
            return client
        if self._owners.get(credential_id) != client.client_id:
            raise CredentialNotFound(client.client_id, credential_id)
        known = self._credentials[credential_id]
        if known.revoked_at is None:
            self._credentials[credential_id] = replace(known, revoked_at=change.at)
            self._changes.append(change)
        return client

    async def set_limit(
        self, requests_per_second: int | None, burst: int | None, change: Change
    ) -> Client:
        """See `ports.ClientStore.set_limit`."""
        client = self._known(change.client_id)
        limited = replace(client, requests_per_second=requests_per_second, burst=burst)
        self._clients[client.client_id] = limited
        self._changes.append(change)
        return limited

    def _known(self, client_id: str) -> Client:
        if client_id not in self._clients:
            raise ClientNotFound(client_id)
        return self._clients[client_id]

    def _keep(self, made: StoredKey | Secret, change: Change) -> None:
        is_secret = isinstance(made, Secret)
        name = made.secret_id if isinstance(made, Secret) else made.key_id
        kind = Kind.SIGNING if is_secret else Kind.KEY
        self._made[name] = made
        self._owners[name] = change.client_id
        self._credentials[name] = Credential(name, kind, change.at)

    def _of(self, client_id: str) -> Sequence[Credential]:
        return [c for name, c in self._credentials.items() if self._owners[name] == client_id]
