"""ListWebhookEndpoints: a client's endpoints, the newest first, page by page."""

from collections.abc import Sequence
from datetime import datetime

from paging.page_size import page_limit
from paging.page_token import read_moment, read_token, write_token
from payment_svc.domain.webhook_endpoint import WebhookEndpoint
from payment_svc.webhooks.ports import WebhookStore


async def list_webhook_endpoints(
    client_id: str, page_size: int, page_token: str, *, store: WebhookStore
) -> tuple[Sequence[WebhookEndpoint], str]:
    """List endpoints; answer also the token of the next page, empty at the end.

    Raises:
        InvalidRequest: a token that is not of this list.
    """
    bound = ["webhook_endpoints", client_id]
    limit = page_limit(page_size)
    found = await store.list(client_id, limit, _read(bound, page_token) if page_token else None)
    if len(found) < limit:
        return found, ""
    last = found[-1]
    return found, write_token(bound, [last.created_at.isoformat(), last.endpoint_id])


def _read(bound: Sequence[str], token: str) -> tuple[datetime, str]:
    created_at, endpoint_id = read_token(bound, token, [str, str])
    return read_moment(created_at), str(endpoint_id)
