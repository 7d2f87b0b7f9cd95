"""Every knob of payment_svc, with its unit and default; the README lists them."""

from dataclasses import dataclass
from datetime import timedelta

from chassis.encryption import LocalKeys
from chassis.settings import Environment, ServerSettings, SettingsError
from payment_svc.domain.backlog import BacklogLimits
from payment_svc.domain.return_url import ReturnUrls
from payment_svc.sagas.policy import RetryPolicy
from payment_svc.sagas.retry_budget import Shares
from payment_svc.webhooks.settings import WebhookSettings
from privacy.masked import Secret


@dataclass(frozen=True, slots=True)
class PaymentSettings:
    """What payment_svc is told."""

    database_url: Secret[str]
    database_connections: int
    redis_url: Secret[str]
    redis_timeout_s: float  # for connecting and for an answer each
    risk_target: str
    psp_target: str
    wallet_target: str
    ledger_target: str
    keys: LocalKeys  # wrap the data keys that encrypt what is personal or secret
    fingerprint_key: Secret[bytes]  # hashes request fields and card tokens; secret
    auto_open_sellers: bool  # a seller is opened on first use; else an unknown one is refused
    sagas_in_flight_max: int  # walked at once
    lease: timedelta  # how long a saga stays ours without a sign of life
    claims_max: int  # claims in a row without a move after which a saga is poison
    resolution_expires: timedelta  # how long a proposal waits for its second person
    policy: RetryPolicy
    retries: Shares  # how much of what is asked of our own services may be asked again
    poll_s: float  # how often the queue is looked at when nobody wakes the worker
    backlog: BacklogLimits  # beyond which no new payments are taken in
    rpc_timeout_s: float  # for one call to another service
    return_urls: ReturnUrls  # the sites that buyers may be sent to from a PSP's page
    webhooks: WebhookSettings
    audit_every_s: float  # between two audits of recent payments; 0: none
    audit_window: timedelta  # how far back an audit goes
    ledger_audit_every_s: float  # between two of what the ledger says of itself; 0: none

    @classmethod
    def read(cls, environment: Environment, server: ServerSettings) -> "PaymentSettings":
        """Read the environment.

        Raises:
            SettingsError: a setting is missing or malformed.
        """
        return cls(
            database_url=Secret(environment.text("PAYMENT_DATABASE_URL")),
            database_connections=environment.integer("PAYMENT_DATABASE_CONNECTIONS", 8),
            redis_url=Secret(environment.text("REDIS_URL")),
            redis_timeout_s=environment.number("PAYMENT_REDIS_TIMEOUT_S", 2.0),
            risk_target=environment.text("RISK_TARGET"),
            psp_target=environment.text("PSP_TARGET"),
            wallet_target=environment.text("WALLET_TARGET"),
            ledger_target=environment.text("LEDGER_TARGET"),
            keys=LocalKeys.configured(environment, is_production=server.is_production),
            fingerprint_key=Secret(
                environment.secret(
                    "IDEMPOTENCY_FINGERPRINT_KEY", in_production=server.is_production
                )
            ),
            auto_open_sellers=environment.choice("AUTO_OPEN_SELLERS", ("off", "on")) == "on",
            sagas_in_flight_max=environment.integer("SAGAS_IN_FLIGHT_MAX", 512),
            lease=timedelta(seconds=environment.number("SAGA_LEASE_S", 30.0)),
            claims_max=environment.integer("SAGA_CLAIMS_MAX", 10),
            resolution_expires=timedelta(
                seconds=environment.number("RESOLUTION_EXPIRES_S", 86400.0)
            ),
            policy=RetryPolicy(
                psp_tries_max=environment.integer("PSP_TRIES_MAX", 3),
                budget=timedelta(seconds=environment.number("FORWARD_RETRY_BUDGET_S", 3600.0)),
            ),
            retries=Shares(
                of_first=environment.number("SAGA_RETRY_SHARE", 0.1),
                per_s=environment.number("SAGA_RETRIES_PER_S", 0.5),
            ),
            poll_s=environment.number("SAGA_POLL_S", 0.5),
            backlog=BacklogLimits(
                depth_max=environment.integer("QUEUE_DEPTH_MAX", 2_000),
                age_max=timedelta(seconds=environment.number("QUEUE_AGE_MAX_S", 30.0)),
            ),
            rpc_timeout_s=environment.number("RPC_TIMEOUT_S", 10.0),
            return_urls=_return_urls(environment, server),
            webhooks=WebhookSettings.read(environment, server),
            audit_every_s=environment.number("AUDIT_EVERY_S", 300.0),
            audit_window=timedelta(seconds=environment.number("AUDIT_WINDOW_S", 3600.0)),
            ledger_audit_every_s=environment.number("LEDGER_AUDIT_EVERY_S", 3600.0),
        )


def _return_urls(environment: Environment, server: ServerSettings) -> ReturnUrls:
    named = environment.text("CHECKOUT_RETURN_ORIGINS", "")
    try:
        return ReturnUrls.parse(named, is_production=server.is_production)
    except ValueError as error:
        raise SettingsError(f"CHECKOUT_RETURN_ORIGINS: {error}") from error
