"""What the ledger tells Prometheus, beside what every service does."""

from prometheus_client import Counter

from chassis.telemetry import REGISTRY

FENCED_WRITES = Counter(
    "paymesh_fenced_writes_total",
    "Writes refused because somebody else has taken over since.",
    ["of"],
    registry=REGISTRY,
)
