"""What the wallets tell Prometheus, beside what every service does."""

from prometheus_client import Counter, Gauge

from chassis.telemetry import REGISTRY

WALLET_DIFFERENCES = Gauge(
    "paymesh_wallet_differences",
    "Wallets that are not what the ledger says, by the newest comparison.",
    ["verdict"],
    registry=REGISTRY,
)
WALLETS_COMPARED_AT = Gauge(
    "paymesh_wallet_comparison_last_success_timestamp",
    "When a comparison with the ledger last came to its end, by Unix time; 0: never.",
    registry=REGISTRY,
)
HOLDS_EXPIRED = Counter(
    "paymesh_wallet_holds_expired",
    "Holds that had their time and were looked at.",
    registry=REGISTRY,
)
