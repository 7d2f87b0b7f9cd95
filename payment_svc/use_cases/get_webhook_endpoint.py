"""GetWebhookEndpoint: read an endpoint of the calling client."""

from payment_svc.domain.errors import WebhookEndpointNotFound
from payment_svc.domain.webhook_endpoint import EndpointStatus, WebhookEndpoint
from payment_svc.webhooks.ports import WebhookStore


async def get_webhook_endpoint(
    client_id: str, endpoint_id: str, *, store: WebhookStore
) -> WebhookEndpoint:
    """Read an endpoint; another client's, and a deleted one, is not there.

    Raises:
        WebhookEndpointNotFound: no such endpoint of this client.
    """
    endpoint = await store.find(client_id, endpoint_id)
    if endpoint is None or endpoint.status is EndpointStatus.DELETED:
        raise WebhookEndpointNotFound(endpoint_id)
    return endpoint
