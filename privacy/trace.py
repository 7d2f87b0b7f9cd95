"""The trace that a request or a saga belongs to: a number, and so the one word that every line of a
log and every call may have in common.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

TRACEPARENT: ContextVar[str] = ContextVar("traceparent", default="")  # as W3C writes it


def with_trace(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Name the trace under way in an event."""
    parts = TRACEPARENT.get().split("-")
    return {"trace_id": parts[1], **event} if len(parts) == 4 else event
