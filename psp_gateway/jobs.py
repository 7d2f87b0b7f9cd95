"""The loop of the gateway: what PSPs told is applied."""

import asyncio

from chassis.errors import PaymeshError
from chassis.server import Job, repeat
from chassis.telemetry import logger
from psp_gateway.domain.inbox import State, Told
from psp_gateway.metrics import WEBHOOK_EVENTS
from psp_gateway.ports import Inbox
from psp_gateway.use_cases.apply_events import Applying, apply_event

_AT_ONCE = 64


def inbox_worker(inbox: Inbox, applying: Applying, arrived: asyncio.Event, poll_s: float) -> Job:
    """Apply events as they arrive, and what was put off. Any number of instances may do so."""

    async def work() -> bool:
        claimed = await inbox.claim(_AT_ONCE)
        settled = await asyncio.gather(*(_settled(applying, told) for told in claimed))
        done = [told for told in settled if told is not None]
        if done:
            await inbox.settle(done)
        return len(claimed) == _AT_ONCE

    async def job(stopping: asyncio.Event) -> None:
        await repeat("inbox", work, stopping, pause_s=poll_s, wake=arrived)

    return job


async def _settled(applying: Applying, told: Told) -> Told | None:
    """Apply one event; None when it must be left to a later claim."""
    try:
        after = await apply_event(applying, told)
    except PaymeshError as error:
        logger().warning("event_left", number=told.number, error=repr(error))
        return None
    WEBHOOK_EVENTS.labels(told.event.psp, after.state.value).inc()
    if after.state is State.CONTRADICTS:
        logger().error("psp_contradicts", number=told.number, psp=told.event.psp, note=after.note)
    return after
