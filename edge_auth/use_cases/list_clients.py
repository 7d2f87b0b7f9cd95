"""ListClients: read API clients, page by page."""

from collections.abc import Sequence

from edge_auth.domain.credentials import Client
from edge_auth.ports import ClientStore
from paging.page_size import page_limit


async def list_clients(
    page_size: int, page_token: str, *, store: ClientStore
) -> tuple[Sequence[Client], str]:
    """List clients by id; answer also the token of the next page, empty at the end."""
    limit = page_limit(page_size)
    found = await store.list(page_token, limit + 1)
    page = found[:limit]
    return page, page[-1].client_id if len(found) > limit else ""
