"""DeleteWebhookEndpoint: give an address up."""

from payment_svc.domain.errors import WebhookEndpointNotFound
from payment_svc.domain.webhook_endpoint import WebhookEndpoint
from payment_svc.webhooks.ports import WebhookStore


async def delete_webhook_endpoint(
    client_id: str, endpoint_id: str, *, store: WebhookStore
) -> WebhookEndpoint:
    """Give an endpoint up; a deleted one may be deleted again.

    Raises:
        WebhookEndpointNotFound: no such endpoint of this client.
    """
    deleted = await store.delete(client_id, endpoint_id)
    if deleted is None:
        raise WebhookEndpointNotFound(endpoint_id)
    return deleted
