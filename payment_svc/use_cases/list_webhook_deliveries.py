"""ListWebhookDeliveries: what was and is to be sent to an endpoint, page by page."""

from collections.abc import Sequence

from paging.page_size import page_limit
from paging.page_token import read_token, write_token
from payment_svc.use_cases.get_webhook_endpoint import get_webhook_endpoint
from payment_svc.webhooks.ports import DeliveryView, WebhookLog, WebhookStore


async def list_webhook_deliveries(
    client_id: str,
    endpoint_id: str,
    page_size: int,
    page_token: str,
    *,
    store: WebhookStore,
    log: WebhookLog,
) -> tuple[Sequence[DeliveryView], str]:
    """List deliveries, the newest first; answer also the next page's token, empty at the end.

    Raises:
        WebhookEndpointNotFound: no such endpoint of this client.
        InvalidRequest: a token that is not of this list.
    """
    endpoint = await get_webhook_endpoint(client_id, endpoint_id, store=store)
    bound = ["webhook_deliveries", endpoint.endpoint_id]
    limit = page_limit(page_size)
    before = int(read_token(bound, page_token, [int])[0]) if page_token else None
    found = await log.deliveries(endpoint_id, limit, before)
    return found, write_token(bound, [found[-1].delivery_id]) if len(found) == limit else ""
