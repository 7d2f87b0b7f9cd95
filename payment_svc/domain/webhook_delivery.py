"""What comes of an attempt to deliver an event: delivered, tried again later, or given up."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from payment_svc.domain.webhook_endpoint import WebhookEvent
from payment_svc.domain.webhook_secret import SecretName

_GONE = 410
_JITTER = 0.25  # a pause is up to a quarter shorter or longer, so that retries spread


class DeliveryStatus(StrEnum):
    """Where a delivery stands, as the public API spells it."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


class AttemptFailure(StrEnum):
    """Why no HTTP status came, as the public API spells it."""

    TIMEOUT = "TIMEOUT"
    NAME_NOT_FOUND = "NAME_NOT_FOUND"
    ADDRESS_REFUSED = "ADDRESS_REFUSED"
    CONNECTION = "CONNECTION"
    TLS = "TLS"
    PROTOCOL = "PROTOCOL"
    ENDPOINT_GONE = "ENDPOINT_GONE"
    SECRET_MISSING = "SECRET_MISSING"  # noqa: S105 - a word of the API  # pragma: allowlist secret


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: either an HTTP status or a failure. Never what the endpoint wrote."""

    started_at: datetime
    duration: timedelta
    http_status: int | None = None
    failure: AttemptFailure | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way to an endpoint, claimed under an epoch.

    Attributes:
        is_wanted: the endpoint is enabled; else nothing is sent.
        secrets: what signs, the newest first; more than one while they change.
        attempts: how often it was sent before.
        tries: how often since it was last asked for.
        since: when it was last asked for.
    """

    delivery_id: int
    epoch: int
    endpoint_id: str
    client_id: str
    url: str
    is_wanted: bool
    secrets: tuple[SecretName, ...]
    event: WebhookEvent
    attempts: int
    tries: int
    since: datetime


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """When a delivery is tried again: after each of `pauses`, the last one again and again, until
    `budget` is spent.
    """

    pauses: tuple[timedelta, ...] = field(
        default=tuple(timedelta(seconds=s) for s in (5, 30, 120, 600, 1800, 3600, 14_400))
    )
    budget: timedelta = timedelta(days=3)

    def pause(self, tries: int, spent: timedelta, chance: float) -> timedelta | None:
        """Tell how long to wait after the `tries`th try; None: give up.

        Args:
            tries: from 1.
            spent: the time since the first.
            chance: from 0 to below 1.
        """
        usual = self.pauses[min(tries, len(self.pauses)) - 1]
        pause = usual * (1 - _JITTER + 2 * _JITTER * chance)
        return pause if spent + pause <= self.budget else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a delivery becomes; `pause` is None unless it is PENDING."""

    status: DeliveryStatus
    pause: timedelta | None = None
    disables_endpoint: bool = False


def judge(
    delivery: Delivery, attempt: Attempt, schedule: RetrySchedule, now: datetime, chance: float
) -> Verdict:
    """Decide what an attempt leads to. Any 2xx is a delivery, 410 the endpoint's farewell; all else
    may pass, redirections too: they are not followed.
    """
    if attempt.http_status is not None and 200 <= attempt.http_status < 300:
        return Verdict(DeliveryStatus.DELIVERED)
    if attempt.http_status == _GONE:
        return Verdict(DeliveryStatus.FAILED, disables_endpoint=True)
    if attempt.failure is AttemptFailure.ENDPOINT_GONE:
        return Verdict(DeliveryStatus.FAILED)
    pause = schedule.pause(delivery.tries + 1, now - delivery.since, chance)
    if pause is None:
        return Verdict(DeliveryStatus.FAILED)
    return Verdict(DeliveryStatus.PENDING, pause)
