"""RevokeClient: end one key, one secret, or a client with all of them, at once and for good."""

from chassis.clock import Clock
from edge_auth.domain.credentials import Change, Client
from edge_auth.ports import Announcer, ClientStore


async def revoke_client(
    client_id: str,
    credential_id: str,
    *,
    actor: str,
    reason: str,
    store: ClientStore,
    announcer: Announcer,
    clock: Clock,
) -> tuple[Client, bool]:
    """Revoke a credential, or with "" the client; answer also whether all instances were told.

    Raises:
        ClientNotFound, CredentialNotFound: there is none such.
    """
    change = Change(client_id, clock(), actor, "REVOKED", credential_id or "all", reason)
    client = await store.revoke(credential_id, change)
    return client, await announcer.announce()
