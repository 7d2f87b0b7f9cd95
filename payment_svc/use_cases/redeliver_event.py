"""RedeliverEvent: send an event, or all since a moment, to an endpoint again."""

from datetime import datetime

from payment_svc.domain.errors import (
    EventNotFound,
    IdempotencyKeyReused,
    WebhookEndpointDisabled,
)
from payment_svc.domain.webhook_endpoint import EndpointStatus, read_event_id
from payment_svc.ports import Asked, KeyReused
from payment_svc.use_cases.get_webhook_endpoint import get_webhook_endpoint
from payment_svc.webhooks.ports import WebhookLog, WebhookStore

METHOD = "RedeliverEvent"
EVENTS_MAX = 5_000


async def redeliver_event(
    client_id: str,
    endpoint_id: str,
    what: str | datetime,
    asked: Asked | None = None,
    *,
    store: WebhookStore,
    log: WebhookLog,
) -> tuple[int, datetime | None]:
    """Make events due now, with all retries; tell how many, and where to go on when more are left.

    Args:
        client_id: who asks.
        endpoint_id: where to.
        what: an event's id, or the moment from which on all that the endpoint is told.
        asked: under which key; None: without one, and each call sends again.
        store: where endpoints rest.
        log: where events and deliveries rest.

    Raises:
        WebhookEndpointNotFound: no such endpoint of this client.
        WebhookEndpointDisabled: it answered 410 Gone.
        EventNotFound: no such event of this client.
        IdempotencyKeyReused: the key belongs to another request.
    """
    endpoint = await get_webhook_endpoint(client_id, endpoint_id, store=store)
    if endpoint.status is not EndpointStatus.ENABLED:
        raise WebhookEndpointDisabled(endpoint_id)
    if isinstance(what, datetime):
        several = await log.redeliver_since(endpoint, what, EVENTS_MAX, asked)
        if isinstance(several, KeyReused):
            raise IdempotencyKeyReused(several.fields)
        return several
    done = await log.redeliver(endpoint, *read_event_id(what), asked)
    if isinstance(done, KeyReused):
        raise IdempotencyKeyReused(done.fields)
    if not done:
        raise EventNotFound(what)
    return 1, None
