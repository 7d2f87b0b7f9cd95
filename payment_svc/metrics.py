"""What payment_svc counts, beside what every service does."""

from prometheus_client import Counter, Gauge

from chassis.telemetry import REGISTRY

SAGA_STEPS = Counter(
    "paymesh_saga_steps_total",
    "Saga steps by outcome.",
    ["saga", "step", "outcome"],
    registry=REGISTRY,
)
SAGA_QUEUE = Gauge(
    "paymesh_saga_queue_depth",
    "Sagas in a queue, by the class of their reason.",
    ["queue", "kind", "reason"],
    registry=REGISTRY,
)
SAGA_QUEUE_AGE = Gauge(
    "paymesh_saga_queue_oldest_age_seconds",
    "How long the oldest saga of a queue has stood there.",
    ["queue", "kind", "reason"],
    registry=REGISTRY,
)
DEAD_LETTERS = Counter(
    "paymesh_dead_letters_total",
    "Sagas laid before a person.",
    ["saga", "step", "reason"],
    registry=REGISTRY,
)
WALKS_FAILED = Counter(
    "paymesh_saga_walks_failed_total",
    "Walks that ended by an error of ours.",
    ["saga", "step"],
    registry=REGISTRY,
)
AUDIT_VIOLATIONS = Gauge(
    "paymesh_audit_violations",
    "Violations that the newest audit of recent payments has found.",
    ["invariant"],
    registry=REGISTRY,
)
AUDIT_LAST_SUCCESS = Gauge(
    "paymesh_audit_last_success_timestamp",
    "When an audit of recent payments last came to its end, in Unix seconds; 0: never.",
    registry=REGISTRY,
)
