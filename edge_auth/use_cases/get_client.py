"""GetClient: read an API client."""

from edge_auth.domain.credentials import Client
from edge_auth.domain.errors import ClientNotFound
from edge_auth.ports import ClientStore


async def get_client(client_id: str, *, store: ClientStore) -> Client:
    """Read a client.

    Raises:
        ClientNotFound: there is none with this id.
    """
    client = await store.find(client_id)
    if client is None:
        raise ClientNotFound(client_id)
    return client
