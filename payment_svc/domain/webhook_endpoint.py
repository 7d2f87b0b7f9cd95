"""Webhook endpoints, the events that they are told, and how an event is written."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from chassis.errors import InvalidRequest
from payment_svc.domain.statuses import PaymentStatus
from payment_svc.domain.webhook_secret import SecretName

ENDPOINTS_MAX = 16
EVENT_TYPES = frozenset(
    {f"payment.{status.value.lower()}" for status in PaymentStatus} | {"case.opened", "case.closed"}
)
_EVENT_ID = re.compile(r"evt_([a-z]{3}_[0-9a-z]{1,60})s([1-9][0-9]{0,8})", re.ASCII)


class EndpointStatus(StrEnum):
    """Whether an endpoint is sent events, as the public API spells it."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class WebhookEndpoint:
    """An address of a client's; no `event_types` are all."""

    endpoint_id: str
    client_id: str
    url: str
    event_types: tuple[str, ...]
    description: str
    status: EndpointStatus
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ShownEndpoint:
    """An endpoint in the one answer that shows its secret; `replayed`: not for the first time."""

    endpoint: WebhookEndpoint
    name: SecretName
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """The `sequence`th fact about an object; `data` is the object at that moment."""

    object_id: str
    sequence: int
    type: str
    data: Mapping[str, str]
    created_at: datetime

    @property
    def event_id(self) -> str:
        """The event's public id, the same in every delivery."""
        return event_id(self.object_id, self.sequence)

    def body(self) -> bytes:
        """Write the event as it is posted, the same bytes each time."""
        content = {
            "id": self.event_id,
            "type": self.type,
            "timestamp": self.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "sequence": self.sequence,
            "data": dict(sorted(self.data.items())),
        }
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def event_id(object_id: str, sequence: int) -> str:
    """Make an event's public id of what it is about and its place."""
    return f"evt_{object_id}s{sequence}"


def read_event_id(text: str) -> tuple[str, int]:
    """Tell the object and the place that an event's id names.

    Raises:
        InvalidRequest: it is none.
    """
    match = _EVENT_ID.fullmatch(text)
    if match is None:
        raise InvalidRequest.field("event_id", "is none of ours")
    return match[1], int(match[2])


def check_event_types(event_types: tuple[str, ...]) -> None:
    """Hold a filter against what there is.

    Raises:
        InvalidRequest: a type that no event has; it would be waited for in vain.
    """
    for index, name in enumerate(event_types):
        if name not in EVENT_TYPES:
            known = ", ".join(sorted(EVENT_TYPES))
            raise InvalidRequest.field(
                f"event_types[{index}]", f"is none of {known}", "UNKNOWN_EVENT_TYPE"
            )
