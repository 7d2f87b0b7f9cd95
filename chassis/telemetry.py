"""Structured logs, of harmless fields and of values masked by their type; Prometheus metrics."""

import logging
import sys

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from chassis.errors import PaymeshError
from privacy.events import HARMLESS, LibraryLogs, crashing, told

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0)
REGISTRY = CollectorRegistry()
RPC_SECONDS = Histogram(
    "paymesh_rpc_seconds",
    "Time to answer an RPC.",
    ["method", "code"],
    buckets=SECONDS,
    registry=REGISTRY,
)
OUTBOX_BACKLOG = Gauge("paymesh_outbox_backlog", "Events not yet published.", registry=REGISTRY)
DATABASE_RETRIES = Counter(
    "paymesh_database_retries_total", "Transactions run again.", ["sqlstate"], registry=REGISTRY
)
FENCED_WRITES = Counter(
    "paymesh_fenced_writes_total", "Refused: another has taken over.", ["of"], registry=REGISTRY
)
UNDECIPHERABLE = Counter(
    "paymesh_undecipherable_total", "Ciphertexts refused.", ["place", "why"], registry=REGISTRY
)


def configure_logging(service: str, level: str) -> None:
    """Log JSON lines to standard error, from `level` upwards."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            lambda _, __, event: told(event, HARMLESS, (PaymeshError,)),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(handlers=[LibraryLogs(logger)], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)
    sys.excepthook = crashing(logger)


def logger() -> structlog.typing.FilteringBoundLogger:
    """Make a logger; use keyword arguments out of the list of harmless fields."""
    log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return log


def serve_metrics(listen: str) -> None:
    """Serve Prometheus metrics over HTTP at host:port; an empty address serves none."""
    if listen:
        host, _, port = listen.rpartition(":")
        start_http_server(int(port), addr=host, registry=REGISTRY)
