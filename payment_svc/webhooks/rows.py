"""Webhook endpoints, events and deliveries as rows."""

from datetime import timedelta

from payment_svc.domain.webhook_delivery import (
    Attempt,
    AttemptFailure,
    Delivery,
    DeliveryStatus,
)
from payment_svc.domain.webhook_endpoint import (
    EndpointStatus,
    WebhookEndpoint,
    WebhookEvent,
    event_id,
)
from payment_svc.domain.webhook_secret import SecretName
from payment_svc.rows import Row
from payment_svc.webhooks.ports import DeliveryView

ENDPOINT_COLUMNS = "endpoint_id, client_id, url, event_types, description, status, created_at"
_ABOUT_CLIENT = "client_id"  # in every payload; the client need not be told


def to_endpoint(row: Row) -> WebhookEndpoint:
    """Read an endpoint."""
    return WebhookEndpoint(
        endpoint_id=row["endpoint_id"],
        client_id=row["client_id"],
        url=row["url"],
        event_types=tuple(row["event_types"]),
        description=row["description"],
        status=EndpointStatus(row["status"]),
        created_at=row["created_at"],
    )


def to_event(row: Row) -> WebhookEvent:
    """Read an event out of the outbox."""
    data = {name: value for name, value in row["payload"].items() if name != _ABOUT_CLIENT}
    return WebhookEvent(
        row["object_id"], row["sequence"], row["type"], data, row["event_created_at"]
    )


def to_delivery(row: Row) -> Delivery:
    """Read a claimed delivery with its event, its endpoint and what signs."""
    names = (name.split(":") for name in row["secrets"])
    return Delivery(
        delivery_id=row["delivery_id"],
        epoch=row["epoch"],
        endpoint_id=row["endpoint_id"],
        client_id=row["client_id"],
        url=row["url"],
        is_wanted=row["endpoint_status"] == EndpointStatus.ENABLED,
        secrets=tuple(SecretName(int(generation), key_id) for generation, key_id in names),
        event=to_event(row),
        attempts=row["attempts"],
        tries=row["tries"],
        since=row["since"],
    )


def to_attempt(row: Row) -> tuple[int, Attempt]:
    """Read an attempt and its number."""
    failure = AttemptFailure(row["failure"]) if row["failure"] else None
    duration = timedelta(milliseconds=row["duration_ms"])
    return row["attempt"], Attempt(row["started_at"], duration, row["http_status"], failure)


def to_view(row: Row, attempts: list[Row]) -> DeliveryView:
    """Read a delivery as its client sees it."""
    status = DeliveryStatus(row["status"])
    return DeliveryView(
        delivery_id=row["delivery_id"],
        event_id=event_id(row["object_id"], row["sequence"]),
        type=row["type"],
        status=status,
        attempt_count=row["attempts"],
        created_at=row["created_at"],
        next_attempt_at=row["due_at"] if status is DeliveryStatus.PENDING else None,
        delivered_at=row["delivered_at"],
        attempts=[to_attempt(attempt) for attempt in attempts],
    )
