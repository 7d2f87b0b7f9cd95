"""CreateClient: register an API client with its first key."""

from collections.abc import Callable
from dataclasses import dataclass

from chassis.clock import Clock
from edge_auth.domain.credentials import Client, StoredKey, make_key
from edge_auth.domain.errors import ClientAlreadyExists
from edge_auth.ports import ClientStore
from privacy.masked import Secret


@dataclass(frozen=True, slots=True)
class CreatedClient:
    """The client and its key, which is not kept."""

    client: Client
    api_key: Secret[str]


async def create_client(
    client_id: str,
    display_name: str,
    *,
    store: ClientStore,
    clock: Clock,
    random_bytes: Callable[[int], bytes],
) -> CreatedClient:
    """Register a client and show its key this once.

    Raises:
        ClientAlreadyExists: the id is taken.
    """
    client = Client(client_id, display_name, clock())
    api_key, key_id, secret_hash = make_key(random_bytes)
    if not await store.add(client, StoredKey(key_id, client_id, secret_hash)):
        raise ClientAlreadyExists(client_id)
    return CreatedClient(client, Secret(api_key))
