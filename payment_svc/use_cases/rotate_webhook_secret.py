"""RotateWebhookSecret: make a new secret; the old one signs too for a while."""

from datetime import timedelta

from payment_svc.domain.errors import IdempotencyKeyReused, WebhookEndpointNotFound
from payment_svc.domain.webhook_endpoint import ShownEndpoint
from payment_svc.domain.webhook_secret import SecretKeys
from payment_svc.ports import Asked, KeyReused
from payment_svc.webhooks.ports import WebhookStore

METHOD = "RotateWebhookSecret"
OVERLAP = timedelta(hours=24)


async def rotate_webhook_secret(
    asked: Asked, endpoint_id: str, *, store: WebhookStore, keys: SecretKeys
) -> ShownEndpoint:
    """Make a new secret; a known key answers as the first time.

    Raises:
        WebhookEndpointNotFound: no such endpoint of this client.
        IdempotencyKeyReused: the key belongs to another request.
    """
    match await store.rotate(asked, endpoint_id, keys.newest, OVERLAP):
        case None:
            raise WebhookEndpointNotFound(endpoint_id)
        case KeyReused(fields):
            raise IdempotencyKeyReused(fields)
        case ShownEndpoint() as rotated:
            return rotated
