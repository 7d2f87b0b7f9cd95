"""Structured logs, of fields that are known to be harmless and of values that are masked by their
type, and Prometheus metrics.
"""

import logging
import sys
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from structlog.typing import EventDict

from chassis.errors import PaymeshError
from privacy.shown import shown, traced

_OURS = (PaymeshError,)  # what they say is written for callers
_TEMPLATE_MAX = 200
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

# Only these may be logged; anything else is dropped, so that no token or e-mail slips through.
_HARMLESS = frozenset(
    {"event", "level", "timestamp", "service", "logger", "error", "exception", "sqlstate"}
    | {"method", "code", "duration_ms", "request_id", "trace_id", "client_id", "address", "count"}
    | {"caller"}
    | {"payment_id", "saga_id", "step", "outcome", "reason", "queue", "status"}
    | {"psp", "attempt_id", "attempt", "delivery", "operation", "number", "hash", "month", "place"}
    | {"wallet_id", "account_id", "difference", "subject_id", "resolution_id", "saga", "released"}
    | {"payment_ids", "depth", "oldest_s", "message_id", "state"}
)
_OUR_OWN = frozenset({"level", "timestamp", "service"})


def _only_harmless(_: Any, __: str, event: EventDict) -> EventDict:
    """Leave known fields alone, each as its type may be shown; one line whatever it holds."""
    told = {
        key: value if key in _OUR_OWN else shown(value, _OURS)
        for key, value in event.items()
        if key in _HARMLESS
    }
    if error := _raised(event.get("exc_info")):
        told["exception"] = traced(error, _OURS)
    return told


def _raised(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        error: BaseException | None = exc_info[1]
        return error
    return sys.exc_info()[1] if exc_info else None


class _LibraryLogs(logging.Handler):
    """Tells what libraries log as we log: by their template, whose values nobody has looked at."""

    def emit(self, record: logging.LogRecord) -> None:
        template = str(record.msg).partition("\n")[0][:_TEMPLATE_MAX]
        place = f"{record.module}:{record.lineno}"
        tell = logger().error if record.levelno >= logging.ERROR else logger().warning
        tell("library", logger=record.name, reason=template, place=place, exc_info=record.exc_info)


def _crashed(_: type[BaseException], error: BaseException, __: object) -> None:
    logger().critical("crashed", exc_info=error)


def configure_logging(service: str, level: str) -> None:
    """Log JSON lines to standard error, from `level` upwards."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _only_harmless,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(handlers=[_LibraryLogs()], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)
    sys.excepthook = _crashed


def logger() -> structlog.typing.FilteringBoundLogger:
    """Make a logger; use keyword arguments out of the list of harmless fields."""
    log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return log


def serve_metrics(listen: str) -> None:
    """Serve Prometheus metrics over HTTP at host:port; an empty address serves none."""
    if listen:
        host, _, port = listen.rpartition(":")
        start_http_server(int(port), addr=host, registry=REGISTRY)
