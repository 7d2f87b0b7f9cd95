"""Every knob of outgoing webhooks, with its unit and default; the README lists them."""

from dataclasses import dataclass
from datetime import timedelta

from chassis.settings import Environment, ServerSettings, SettingsError
from payment_svc.domain.webhook_delivery import RetrySchedule
from payment_svc.domain.webhook_secret import SecretKeys
from payment_svc.domain.webhook_url import TargetRules

_LEASE_MARGIN_S = 20.0  # to wait for a connection, and to record


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """What payment_svc is told about webhooks."""

    keys: SecretKeys  # endpoints' secrets are derived from them
    rules: TargetRules
    schedule: RetrySchedule
    timeout_s: float  # for one attempt in all
    in_flight_max: int  # sent at once
    per_endpoint_max: int  # sent at once to one endpoint
    poll_s: float  # how often the queue is looked at when nobody wakes the courier

    @property
    def lease(self) -> timedelta:
        """How long a delivery stays ours without a sign of life."""
        return timedelta(seconds=self.timeout_s + _LEASE_MARGIN_S)

    @classmethod
    def read(cls, environment: Environment, server: ServerSettings) -> "WebhookSettings":
        """Read WEBHOOK_SECRET_KEY and the others.

        Raises:
            SettingsError: one is missing or malformed.
        """
        return cls(
            keys=_keys(environment, server),
            rules=_rules(environment, server),
            schedule=_schedule(environment),
            timeout_s=environment.number("WEBHOOK_TIMEOUT_S", 10.0),
            in_flight_max=environment.integer("WEBHOOKS_IN_FLIGHT_MAX", 64),
            per_endpoint_max=environment.integer("WEBHOOKS_PER_ENDPOINT_MAX", 2),
            poll_s=environment.number("WEBHOOK_POLL_S", 0.5),
        )


def _keys(environment: Environment, server: ServerSettings) -> SecretKeys:
    newest = environment.secret("WEBHOOK_SECRET_KEY", in_production=server.is_production)
    previous = environment.text("WEBHOOK_SECRET_KEY_PREVIOUS", "")
    return SecretKeys((newest, previous.encode()) if previous else (newest,))


def _rules(environment: Environment, server: ServerSettings) -> TargetRules:
    networks = environment.text("WEBHOOK_ALLOWED_NETWORKS", "")
    try:
        return TargetRules.parse(networks, is_production=server.is_production)
    except ValueError as error:
        raise SettingsError(f"WEBHOOK_ALLOWED_NETWORKS: {error}") from error


def _schedule(environment: Environment) -> RetrySchedule:
    usual = RetrySchedule()
    text = environment.text("WEBHOOK_RETRY_AFTER_S", "")
    try:
        pauses = tuple(timedelta(seconds=float(part)) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise SettingsError(f"WEBHOOK_RETRY_AFTER_S={text!r} cannot be read") from error
    if any(pause <= timedelta() for pause in pauses):
        raise SettingsError(f"WEBHOOK_RETRY_AFTER_S={text!r}: a pause must be above zero")
    budget = environment.number("WEBHOOK_RETRY_BUDGET_S", usual.budget.total_seconds())
    return RetrySchedule(pauses or usual.pauses, timedelta(seconds=budget))
