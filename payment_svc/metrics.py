"""What payment_svc counts, beside what every service does."""

from prometheus_client import Counter, Gauge, Histogram

from chassis.telemetry import REGISTRY

SAGA_STEPS = Counter(
    "paymesh_saga_steps_total",
    "Saga steps by outcome.",
    ["saga", "step", "outcome"],
    registry=REGISTRY,
)
UNKNOWN_OUTCOMES = Gauge(
    "paymesh_unknown_outcomes",
    "Sagas of which it is not known whether money moved, for longer than so many seconds.",
    ["longer_than_s"],
    registry=REGISTRY,
)
LATE_SUCCESSES = Counter(
    "paymesh_late_successes_total",
    "Charges that a PSP made after they had been given up, found and given back.",
    registry=REGISTRY,
)
QUEUE_DUE = Gauge(
    "paymesh_queue_due", "Sagas that are due and that nobody has claimed.", registry=REGISTRY
)
QUEUE_OLDEST_S = Gauge(
    "paymesh_queue_oldest_seconds", "How long the oldest of them has been due.", registry=REGISTRY
)
QUEUE_CLOSED = Gauge(
    "paymesh_queue_closed", "1 while no new payments are taken in.", registry=REGISTRY
)
TURNED_AWAY = Counter(
    "paymesh_payments_turned_away_total",
    "Requests for new payments while none were taken in; replays are among them.",
    registry=REGISTRY,
)
NEIGHBOUR_CALLS = Counter(
    "paymesh_saga_calls_total",
    "Calls of sagas to our own services: first, made again after trouble, or put off because too"
    " much is made again there.",
    ["service", "try"],
    registry=REGISTRY,
)
LOOP_LAG_S = Histogram(
    "paymesh_event_loop_lag_seconds",
    "How late the event loop gets to what it had planned, felt every 50 ms.",
    buckets=(0.002, 0.005, 0.01, 0.015, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0),
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
    "Violations that the newest audit has found: of recent payments, and of known offenders.",
    ["invariant"],
    registry=REGISTRY,
)
AUDIT_LAST_SUCCESS = Gauge(
    "paymesh_audit_last_success_timestamp",
    "When an audit of recent payments last came to its end, in Unix seconds; 0: never.",
    registry=REGISTRY,
)
AUDIT_LEDGER_LAST_SUCCESS = Gauge(
    "paymesh_audit_ledger_last_success_timestamp",
    "When the ledger last told of its sums and its proof, in Unix seconds; 0: never.",
    registry=REGISTRY,
)
