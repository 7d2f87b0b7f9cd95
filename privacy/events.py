"""Makes of an event, of what libraries log and of a crash what a log may hold."""

import logging
import sys
from collections.abc import Callable, Mapping, MutableMapping, Set
from types import TracebackType
from typing import Any

from privacy.shown import shown, traced
from privacy.trace import with_trace

# Only these may be logged; anything else is dropped, so that no token or e-mail slips through.
HARMLESS = frozenset(
    {"event", "level", "timestamp", "service", "logger", "error", "exception", "sqlstate"}
    | {"method", "code", "duration_ms", "request_id", "trace_id", "client_id", "address", "count"}
    | {"caller"}
    | {"payment_id", "saga_id", "step", "outcome", "reason", "queue", "status"}
    | {"psp", "attempt_id", "attempt", "delivery", "operation", "number", "hash", "month", "place"}
    | {"wallet_id", "account_id", "difference", "subject_id", "resolution_id", "saga", "released"}
    | {"payment_ids", "depth", "oldest_s", "message_id", "state"}
)
_OUR_OWN = frozenset({"level", "timestamp", "service"})
_TEMPLATE_MAX = 200
MakeLogger = Callable[[], Any]
Errors = tuple[type[BaseException], ...]


def told(event: Mapping[str, Any], known: Set[str], ours: Errors) -> MutableMapping[str, Any]:
    """Leave known fields alone, each as its type may be shown; one line whatever it holds, with
    the trace that is under way.

    Args:
        event: what was logged; of `exc_info` the places are told, as `exception`.
        known: the fields that may be logged.
        ours: the exceptions whose messages are written by us, for callers.
    """
    fields = {
        key: value if key in _OUR_OWN else shown(value, ours)
        for key, value in with_trace(event).items()
        if key in known
    }
    if error := _raised(event.get("exc_info")):
        fields["exception"] = traced(error, ours)
    return fields


def _raised(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        error: BaseException | None = exc_info[1]
        return error
    return sys.exc_info()[1] if exc_info else None


class LibraryLogs(logging.Handler):
    """Tells what libraries log as we log: by their template, whose values nobody has looked at."""

    def __init__(self, make_logger: MakeLogger) -> None:
        super().__init__()
        self._make_logger = make_logger

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of a record."""
        log = self._make_logger()
        tell = log.error if record.levelno >= logging.ERROR else log.warning
        tell(
            "library",
            logger=record.name,
            reason=str(record.msg).partition("\n")[0][:_TEMPLATE_MAX],
            place=f"{record.module}:{record.lineno}",
            exc_info=record.exc_info,
        )


def crashing(
    make_logger: MakeLogger,
) -> Callable[[type[BaseException], BaseException, TracebackType | None], None]:
    """Make the hook that tells of what nobody caught."""
    return lambda _, error, __: make_logger().critical("crashed", exc_info=error)
