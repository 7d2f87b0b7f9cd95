"""SetClientLimit: say how much a client may ask."""

from chassis.clock import Clock
from edge_auth.domain.credentials import Change, Client
from edge_auth.ports import Announcer, ClientStore


async def set_client_limit(
    client_id: str,
    requests_per_second: int | None,
    burst: int | None,
    *,
    actor: str,
    reason: str,
    store: ClientStore,
    announcer: Announcer,
    clock: Clock,
) -> Client:
    """Set a client's limit; None: the default.

    Raises:
        ClientNotFound: there is no such client.
    """
    rate = "default" if requests_per_second is None else str(requests_per_second)
    detail = f"{rate} a second, burst {'default' if burst is None else burst}"
    change = Change(client_id, clock(), actor, "LIMITED", detail, reason)
    client = await store.set_limit(requests_per_second, burst, change)
    await announcer.announce()
    return client
