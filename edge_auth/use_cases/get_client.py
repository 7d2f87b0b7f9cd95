"""GetClient: read an API client."""

from edge_auth.domain.errors import ClientNotFound
from edge_auth.ports import ClientStore, Details


async def get_client(client_id: str, *, store: ClientStore) -> Details:
    """Read a client with its credentials and its latest changes.

    Raises:
        ClientNotFound: there is none with this id.
    """
    found = await store.find(client_id)
    if found is None:
        raise ClientNotFound(client_id)
    return found
