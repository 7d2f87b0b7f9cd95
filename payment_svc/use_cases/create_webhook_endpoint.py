"""CreateWebhookEndpoint: register an address, once per idempotency key."""

from collections.abc import Sequence

from chassis.clock import Clock
from payment_svc.domain.errors import IdempotencyKeyReused, WebhookEndpointLimit
from payment_svc.domain.payment import NewId
from payment_svc.domain.webhook_endpoint import (
    ENDPOINTS_MAX,
    EndpointStatus,
    ShownEndpoint,
    WebhookEndpoint,
    check_event_types,
)
from payment_svc.domain.webhook_secret import SecretKeys
from payment_svc.domain.webhook_url import TargetRules
from payment_svc.ports import Asked, KeyReused
from payment_svc.webhooks.ports import NoSlotLeft, WebhookStore

METHOD = "CreateWebhookEndpoint"


async def create_webhook_endpoint(
    asked: Asked,
    url: str,
    event_types: Sequence[str],
    description: str,
    *,
    store: WebhookStore,
    rules: TargetRules,
    keys: SecretKeys,
    clock: Clock,
    new_id: NewId,
) -> ShownEndpoint:
    """Register an address; a known key answers as the first time.

    Raises:
        InvalidRequest: a URL that may not be sent to, or a type that no event has.
        WebhookEndpointLimit: the client has as many as it may have; the key is not consumed.
        IdempotencyKeyReused: the key belongs to another request.
    """
    rules.read(url)
    check_event_types(tuple(event_types))
    endpoint = WebhookEndpoint(
        endpoint_id=new_id("whe"),
        client_id=asked.client_id,
        url=url,
        event_types=tuple(event_types),
        description=description,
        status=EndpointStatus.ENABLED,
        created_at=clock(),
    )
    try:
        created = await store.create(asked, endpoint, keys.newest)
    except NoSlotLeft as error:
        raise WebhookEndpointLimit(ENDPOINTS_MAX) from error
    if isinstance(created, KeyReused):
        raise IdempotencyKeyReused(created.fields)
    return created
