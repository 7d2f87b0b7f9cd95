"""A line of a log names the trace under way, and none where there is none."""

import contextvars

import pytest

from privacy.events import HARMLESS, told
from privacy.trace import TRACEPARENT

TRACE_ID = "ab" * 16


@pytest.mark.parametrize(
    ("traceparent", "expected"),
    [(f"00-{TRACE_ID}-{'cd' * 8}-01", TRACE_ID), ("", None), ("nonsense", None)],
)
def test_a_line_names_the_trace_under_way(traceparent: str, expected: str | None) -> None:
    """By its number alone."""

    def line() -> object:
        TRACEPARENT.set(traceparent)
        return told({"event": "rpc"}, HARMLESS, ()).get("trace_id")

    assert contextvars.copy_context().run(line) == expected
