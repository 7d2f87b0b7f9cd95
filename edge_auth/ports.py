"""What the use cases need from outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from edge_auth.domain.credentials import Caller, Change, Client, Credential, Secret, StoredKey
from edge_auth.domain.limits import Limit, Passage


@dataclass(frozen=True, slots=True)
class Details:
    """A client with all that is known of it, each list with the newest first."""

    client: Client
    credentials: Sequence[Credential]
    changes: Sequence[Change]


class ClientStore(Protocol):
    """API clients at rest."""

    async def add(self, client: Client, key: StoredKey, secret: Secret, change: Change) -> bool:
        """Store a client with its first key and secret; False: the id is taken."""
        ...

    async def find(self, client_id: str) -> Details | None:
        """Read a client; at most 50 changes."""
        ...

    async def list(self, after: str, limit: int) -> Sequence[Client]:
        """List clients by id, those after an id."""
        ...

    async def find_caller(self, key_id: str, now: datetime) -> Caller | None:
        """Read a live key of a client that is not revoked, with its live secrets."""
        ...

    async def rotate(
        self, fresh: StoredKey | Secret, ends_at: datetime, change: Change
    ) -> datetime | None:
        """Add a key or a secret to the change's client and let the live one of its kind end at
        `ends_at`, unless it ends before; answer when it ends, None: there was none.

        Raises:
            ClientNotFound: there is no such client.
            ClientRevoked, RotationUnderWay: as `check_rotation`.
        """
        ...

    async def revoke(self, credential_id: str, change: Change) -> Client:
        """Revoke a credential of the change's client, or with "" the client; again: nothing more.

        Raises:
            ClientNotFound, CredentialNotFound: there is none such.
        """
        ...

    async def set_limit(
        self, requests_per_second: int | None, burst: int | None, change: Change
    ) -> Client:
        """Set the limit of the change's client.

        Raises:
            ClientNotFound: there is no such client.
        """
        ...


class Turnstile(Protocol):
    """Counts requests and remembers nonces."""

    async def enter(self, limits: Sequence[Limit], client_id: str = "", nonce: str = "") -> Passage:
        """Let one request pass, if all its limits allow it, and use its nonce up when it passes."""
        ...


class Announcer(Protocol):
    """Tells all instances that clients have changed."""

    async def announce(self) -> bool:
        """Tell them; False: they could not be told, and find out by themselves."""
        ...
