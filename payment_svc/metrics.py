"""What payment_svc counts, beside what every service does."""

from prometheus_client import Counter, Gauge

from chassis.telemetry import REGISTRY

SAGA_STEPS = Counter(
    "paymesh_saga_steps_total",
    "Saga steps by outcome.",
    ["saga", "step", "outcome"],
    registry=REGISTRY,
)
SAGA_QUEUE = Gauge("paymesh_saga_queue_depth", "Sagas in a queue.", ["queue"], registry=REGISTRY)
FENCED_WRITES = Counter(
    "paymesh_fenced_writes_total",
    "Writes refused because somebody else has taken over since.",
    ["of"],
    registry=REGISTRY,
)
