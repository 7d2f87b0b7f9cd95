"""What payment_svc counts, beside what every service does."""

from prometheus_client import Counter, Gauge

from chassis.telemetry import REGISTRY

SAGA_STEPS = Counter(
    "paymesh_saga_steps_total",
    "Saga steps by outcome.",
    ["saga", "step", "outcome"],
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
SAGA_QUEUE = Gauge("paymesh_saga_queue_depth", "Sagas in a queue.", ["queue"], registry=REGISTRY)
