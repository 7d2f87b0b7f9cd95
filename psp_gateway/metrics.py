"""What psp_gateway measures, beside what every service does."""

from prometheus_client import Histogram

from chassis.telemetry import REGISTRY, SECONDS

PSP_CALL_SECONDS = Histogram(
    "paymesh_psp_call_seconds",
    "Time of one call to a PSP.",
    ["psp", "operation", "outcome"],
    buckets=SECONDS,
    registry=REGISTRY,
)
