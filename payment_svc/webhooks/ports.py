"""What the webhooks' use cases and their courier need from outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from payment_svc.domain.webhook_delivery import (
    Attempt,
    Delivery,
    DeliveryStatus,
    Verdict,
)
from payment_svc.domain.webhook_endpoint import ShownEndpoint, WebhookEndpoint, WebhookEvent
from payment_svc.ports import Asked, KeyReused


class NoSlotLeft(Exception):
    """The client has as many endpoints as it may have; nothing is stored."""


@dataclass(frozen=True, slots=True)
class EventPlace:
    """A place in a client's events."""

    created_at: datetime
    number: int


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events, and how far a reader may go on from: not past what may still get a neighbour."""

    events: Sequence[WebhookEvent]
    settled: EventPlace | None


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery as its client sees it; the newest attempts, the oldest of them first."""

    delivery_id: int
    event_id: str
    type: str
    status: DeliveryStatus
    attempt_count: int
    created_at: datetime
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    attempts: Sequence[tuple[int, Attempt]]


class WebhookStore(Protocol):
    """Endpoints at rest. What is told to the wrong client is None: it is not there."""

    async def create(
        self, asked: Asked, endpoint: WebhookEndpoint, key_id: str
    ) -> ShownEndpoint | KeyReused:
        """Store an endpoint with its first secret's name, or tell what the key did before.

        Raises:
            NoSlotLeft: there are as many as there may be.
        """
        ...

    async def find(self, client_id: str, endpoint_id: str) -> WebhookEndpoint | None:
        """Read an endpoint; a deleted one too."""
        ...

    async def list(
        self, client_id: str, limit: int, after: tuple[datetime, str] | None
    ) -> Sequence[WebhookEndpoint]:
        """List endpoints that are not deleted, the newest first, after a place."""
        ...

    async def delete(self, client_id: str, endpoint_id: str) -> WebhookEndpoint | None:
        """Give an endpoint up; a deleted one stays as it is."""
        ...

    async def rotate(
        self, asked: Asked, endpoint_id: str, key_id: str, overlap: timedelta
    ) -> ShownEndpoint | KeyReused | None:
        """Add a secret; those before it expire after `overlap`, or when they did already."""
        ...


class WebhookLog(Protocol):
    """What happened and what was told, at rest."""

    async def events(
        self, client_id: str, object_id: str | None, limit: int, after: EventPlace | None
    ) -> EventPage:
        """List a client's events, the oldest first, after a place."""
        ...

    async def deliveries(
        self, endpoint_id: str, limit: int, before: int | None
    ) -> Sequence[DeliveryView]:
        """List an endpoint's deliveries, the newest first, before a delivery."""
        ...

    async def redeliver(
        self, endpoint: WebhookEndpoint, object_id: str, sequence: int, asked: Asked | None = None
    ) -> bool | KeyReused:
        """Make one event due now; False: the client has no such event. With `asked`, once per key:
        again it answers as the first time.
        """
        ...

    async def redeliver_since(
        self, endpoint: WebhookEndpoint, since: datetime, limit: int, asked: Asked | None = None
    ) -> tuple[int, datetime | None] | KeyReused:
        """Make up to `limit` events due now, the oldest first; tell how many, and where to go on
        when there are more. With `asked`, once per key.
        """
        ...


class LostDelivery(Exception):
    """Somebody else has claimed the delivery since; what was to be written is refused."""


class WebhookQueue(Protocol):
    """Deliveries that are due: the queue and the lease."""

    async def claim(self, limit: int) -> Sequence[Delivery]:
        """Take due deliveries, each under a new epoch and a lease of our own, few per endpoint."""
        ...

    async def record(self, delivery: Delivery, attempt: Attempt, verdict: Verdict) -> None:
        """Write what came of an attempt.

        Raises:
            LostDelivery: the epoch is no longer ours; nothing is written.
        """
        ...

    async def release_own(self) -> int:
        """Make due what a former run of this instance held; tell how many."""
        ...


class Postman(Protocol):
    """Posts to endpoints."""

    async def post(self, delivery: Delivery) -> Attempt:
        """Sign and send an event; every failure is told in the attempt."""
        ...
