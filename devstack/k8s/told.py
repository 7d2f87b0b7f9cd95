"""What each service is told: plain settings, and secrets by the name of the Secret with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from devstack.k8s.names import APPLICATION, EGRESS, METRICS, Json, dns
from devstack.services import Service


@dataclass(frozen=True, slots=True)
class Told:
    """Settings of one service, by the names that its README explains.

    Attributes:
        plain: name → value.
        secret: keys of the service's Secret that it does not start without.
        optional: keys that it may have.
        has_redis: whether it reaches Redis.
        calls_out: whether it calls the internet, by https.
        drain_s: how long requests under way may take after SIGTERM.
    """

    plain: Mapping[str, str] = field(default_factory=dict)
    secret: Sequence[str] = ()
    optional: Sequence[str] = ()
    has_redis: bool = False
    calls_out: bool = False
    drain_s: int = 10


TOLD: Mapping[str, Told] = {
    "payment_svc": Told(
        secret=("IDEMPOTENCY_FINGERPRINT_KEY", "WEBHOOK_SECRET_KEY", "PAYMESH_KEY"),
        optional=("WEBHOOK_SECRET_KEY_PREVIOUS", "CHECKOUT_RETURN_ORIGINS"),
        has_redis=True,
        calls_out=True,  # webhooks
    ),
    "ledger_svc": Told(),
    "wallet_svc": Told(),
    "risk_svc": Told(secret=("RISK_SUBJECT_KEY",), has_redis=True),
    "psp_gateway": Told(
        secret=("PSP_FINGERPRINT_KEY", "STRIPE_API_KEY", "PAYMESH_KEY"),
        optional=(
            "STRIPE_WEBHOOK_SECRET", "STRIPE_RETURN_URL",
            "ADYEN_API_KEY", "ADYEN_API_BASE", "ADYEN_MERCHANT_ACCOUNT", "ADYEN_HMAC_KEY",
            "ADYEN_TRANSFER_BASE", "ADYEN_TRANSFER_API_KEY", "ADYEN_BALANCE_ACCOUNT",
            "ADYEN_DISPUTE_BASE", "ADYEN_RETURN_URL",
            "PAYPAL_CLIENT_ID", "PAYPAL_CLIENT_SECRET", "PAYPAL_API_BASE", "PAYPAL_WEBHOOK_ID",
            "PAYPAL_RETURN_URL",
        ),
        calls_out=True,
        drain_s=20,  # longer than a request to a PSP: its answer is kept, not looked up later
    ),
    "edge_auth": Told(
        secret=("PAYMESH_KEY",), optional=("EDGE_AUTH_SEALING_KEYS",), has_redis=True
    ),
}  # fmt: skip


def environment(service: Service) -> list[Json]:
    """Write the environment of a service's container."""
    told = TOLD[service.name]
    plain = {
        "ENVIRONMENT": "production",
        "LISTEN": APPLICATION,
        "METRICS_LISTEN": f"0.0.0.0:{METRICS}",
        "LOG_LEVEL": "info",
        "DRAIN_S": str(told.drain_s),
        **dict.fromkeys(service.peers, EGRESS),
        **told.plain,
    }
    # A pod's name outlives the restarts of its containers; leases are held under it.
    own = {"name": "INSTANCE_ID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    required = [f"{service.context.upper()}_DATABASE_URL", *told.secret]
    required += ["REDIS_URL"] if told.has_redis else []
    return [
        *({"name": name, "value": value} for name, value in plain.items()),
        own,
        *(secret_variable(dns(service.name), name) for name in required),
        *(secret_variable(dns(service.name), name, optional=True) for name in told.optional),
    ]


def secret_variable(secret: str, name: str, *, key: str = "", optional: bool = False) -> Json:
    """Write a variable whose value is a key of a Secret, by default the key of its own name."""
    reference: Json = {"name": secret, "key": key or name}
    if optional:
        reference["optional"] = True
    return {"name": name, "valueFrom": {"secretKeyRef": reference}}
