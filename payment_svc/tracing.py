"""A saga goes on with the trace of the request that began it: kept in its row, and taken up."""

from dataclasses import replace

from payment_svc.sagas.journey import Progress
from privacy.trace import TRACEPARENT

_KEPT = "traceparent"


def traced(saga: Progress) -> Progress:
    """Write the trace under way into the memory of a new saga."""
    trace = TRACEPARENT.get()
    return replace(saga, memory={**saga.memory, _KEPT: trace}) if trace else saga


def follow(saga: Progress, before: Progress) -> Progress:
    """Let a saga go on with the trace of the one before it."""
    trace = before.memory.get(_KEPT)
    return replace(saga, memory={**saga.memory, _KEPT: trace}) if trace else saga


def take_up(saga: Progress) -> None:
    """Go on with the trace of a saga, in this task."""
    TRACEPARENT.set(saga.memory.get(_KEPT, ""))
