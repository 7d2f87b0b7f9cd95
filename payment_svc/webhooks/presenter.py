"""Webhook endpoints, events and deliveries as messages: one mapping per enum, total."""

from datetime import timedelta

from google.protobuf.struct_pb2 import Struct
from paymesh.payment.v1 import webhook_endpoint_pb2 as messages

from payment_svc.domain import webhook_secret
from payment_svc.domain.webhook_delivery import Attempt, AttemptFailure, DeliveryStatus
from payment_svc.domain.webhook_endpoint import (
    EndpointStatus,
    ShownEndpoint,
    WebhookEndpoint,
    WebhookEvent,
)
from payment_svc.domain.webhook_secret import SecretKeys
from payment_svc.presenter import timestamp
from payment_svc.webhooks.ports import DeliveryView

ENDPOINT_STATUSES = {
    status: messages.WebhookEndpoint.Status.Value(status.value) for status in EndpointStatus
}
DELIVERY_STATUSES = {
    status: messages.WebhookDelivery.Status.Value(status.value) for status in DeliveryStatus
}
FAILURES = {
    failure: messages.WebhookAttempt.Failure.Value(failure.value) for failure in AttemptFailure
}
_MILLISECOND = timedelta(milliseconds=1)


def endpoint(found: WebhookEndpoint) -> messages.WebhookEndpoint:
    """Write an endpoint without its secret."""
    return messages.WebhookEndpoint(
        endpoint_id=found.endpoint_id,
        url=found.url,
        event_types=found.event_types,
        description=found.description,
        status=ENDPOINT_STATUSES[found.status],
        created_at=timestamp(found.created_at),
    )


def with_secret(shown: ShownEndpoint, keys: SecretKeys) -> messages.WebhookEndpoint:
    """Write an endpoint with its secret.

    Raises:
        WebhookSecretMissing: it cannot be made here.
    """
    message = endpoint(shown.endpoint)
    secret = keys.secret(shown.endpoint.endpoint_id, shown.name)
    message.secret = webhook_secret.show(secret)
    return message


def event(found: WebhookEvent) -> messages.Event:
    """Write an event."""
    data = Struct()
    data.update(dict(found.data))
    return messages.Event(
        event_id=found.event_id,
        type=found.type,
        object_id=found.object_id,
        sequence=found.sequence,
        created_at=timestamp(found.created_at),
        data=data,
    )


def delivery(view: DeliveryView) -> messages.WebhookDelivery:
    """Write a delivery with its attempts."""
    message = messages.WebhookDelivery(
        event_id=view.event_id,
        type=view.type,
        status=DELIVERY_STATUSES[view.status],
        attempt_count=view.attempt_count,
        created_at=timestamp(view.created_at),
        attempts=[_attempt(number, attempt) for number, attempt in view.attempts],
    )
    if view.next_attempt_at is not None:
        message.next_attempt_at.CopyFrom(timestamp(view.next_attempt_at))
    if view.delivered_at is not None:
        message.delivered_at.CopyFrom(timestamp(view.delivered_at))
    return message


def _attempt(number: int, attempt: Attempt) -> messages.WebhookAttempt:
    return messages.WebhookAttempt(
        attempt=number,
        started_at=timestamp(attempt.started_at),
        duration_ms=round(attempt.duration / _MILLISECOND),
        http_status=attempt.http_status,
        failure=FAILURES[attempt.failure] if attempt.failure is not None else None,
    )
