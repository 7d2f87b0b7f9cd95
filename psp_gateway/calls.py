"""What all calls to PSPs have in common: they are measured, and a person is told of trouble."""

import time
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any, TypeVar

from chassis.telemetry import logger
from psp_gateway.domain.answer import Answer, Verdict, outcome_of
from psp_gateway.domain.attempt import Attempt, Outcome
from psp_gateway.domain.hosted_page import PageRequest, Reply
from psp_gateway.metrics import PSP_CALL_SECONDS
from psp_gateway.ports import HostedPage

Heard = TypeVar("Heard")
Refused = Callable[[Verdict], bool]

_TROUBLE = (Outcome.UNKNOWN, Outcome.TRANSIENT)
_seconds = cache(PSP_CALL_SECONDS.labels)  # as few as there are label sets


def is_401(verdict: Verdict) -> bool:
    """Whether the PSP refuses our credentials."""
    return verdict.trace.startswith("401")


async def measured(
    psp: str,
    operation: str,
    call: Awaitable[Heard],
    is_refused: Refused = is_401,
    **about: str,
) -> Heard:
    """Await what a PSP says, measure it, and tell of trouble.

    Args:
        psp: its name.
        operation: what is asked, for the metric and the log.
        call: the call, read already.
        is_refused: whether a verdict means that our account is at fault, which needs a person.
        about: what it is about, for the log; no secret and no token.
    """
    started = time.perf_counter()
    heard = await call
    _note(psp, operation, heard, started, is_refused, about)
    return heard


async def told(
    psp: str,
    operation: str,
    attempt: Attempt,
    call: Awaitable[Any],
    read: Callable[[Any, Attempt], Answer],
    is_refused: Refused = is_401,
) -> Answer:
    """Await a call for an attempt, read it with `read`, and measure it as `measured` does."""
    started = time.perf_counter()
    heard = read(await call, attempt)
    about = {"attempt_id": attempt.attempt_id, "payment_id": attempt.payment_id}
    _note(psp, operation, heard, started, is_refused, about)
    return heard


class MeasuredPages:
    """`ports.HostedPage` of a PSP, measured; an operation with all its requests."""

    def __init__(self, psp: str, inner: HostedPage) -> None:
        self._psp = psp
        self._inner = inner

    async def open_page(self, attempt: Attempt, *, page: PageRequest, key: str) -> Reply:
        """See `ports.HostedPage.open_page`."""
        return await self._told("open", attempt, self._inner.open_page(attempt, page=page, key=key))

    async def read_page(self, attempt: Attempt) -> Reply:
        """See `ports.HostedPage.read_page`."""
        return await self._told("read_page", attempt, self._inner.read_page(attempt))

    async def close_page(self, attempt: Attempt, *, key: str) -> Reply:
        """See `ports.HostedPage.close_page`."""
        return await self._told("close", attempt, self._inner.close_page(attempt, key=key))

    async def _told(self, operation: str, attempt: Attempt, call: Awaitable[Reply]) -> Reply:
        return await measured(
            self._psp,
            operation,
            call,
            attempt_id=attempt.attempt_id,
            payment_id=attempt.payment_id,
        )


def _note(
    psp: str,
    operation: str,
    heard: object,
    started: float,
    is_refused: Refused,
    about: Mapping[str, str],
) -> None:
    """Count what was heard, and tell of trouble."""
    _seconds(psp, operation, outcome_of(heard)).observe(time.perf_counter() - started)
    if not isinstance(heard, Verdict):
        return
    needs_a_person = heard.is_alarm or is_refused(heard)
    if needs_a_person or heard.outcome in _TROUBLE:
        tell = logger().error if needs_a_person else logger().warning
        tell("psp_trouble", psp=psp, operation=operation, **about, **_facts(heard))


def _facts(verdict: Verdict) -> dict[str, object]:
    return {
        "outcome": verdict.outcome.value,
        "delivery": verdict.delivery.value,
        "reason": verdict.reason,
        "code": verdict.psp_code,
        "status": verdict.trace,
    }
