"""What psp_gateway measures, beside what every service does."""

from prometheus_client import Counter, Gauge, Histogram

from chassis.telemetry import REGISTRY, SECONDS

PSP_CALL_SECONDS = Histogram(
    "paymesh_psp_call_seconds",
    "Time of one call to a PSP.",
    ["psp", "operation", "outcome"],
    buckets=SECONDS,
    registry=REGISTRY,
)

PSP_CIRCUIT = Gauge(
    "paymesh_psp_circuit",
    "State of a circuit: 0 closed, 1 half open, 2 open.",
    ["psp", "operation"],
    registry=REGISTRY,
)

ROUTED = Counter(
    "paymesh_psp_routed_total",
    "Charges by the rule that routed them; failover counts once more.",
    ["rule", "psp"],
    registry=REGISTRY,
)

WEBHOOKS = Counter(
    "paymesh_psp_webhooks_total",
    "Webhooks by what became of them: stored, known, refused.",
    ["psp", "result"],
    registry=REGISTRY,
)

WEBHOOK_EVENTS = Counter(
    "paymesh_psp_webhook_events_total",
    "Events that were looked at, by what became of them.",
    ["psp", "state"],
    registry=REGISTRY,
)
PSP_PUT_OFF = Counter(
    "paymesh_psp_put_off_total",
    "What was to be asked again at a PSP and was put off: too much was being asked again there.",
    ["psp", "operation"],
    registry=REGISTRY,
)
LATE_LOOKS = Counter(
    "paymesh_psp_late_looks_total",
    "Looks at attempts that were given up, by what they came to: nothing, charged, silent.",
    ["found"],
    registry=REGISTRY,
)
