"""The loops of the gateway: what PSPs told is applied, what was given up is looked at again."""

import asyncio

from chassis.faults import FaultPoints
from chassis.server import Job, repeat
from chassis.telemetry import logger
from psp_gateway.domain.inbox import State
from psp_gateway.metrics import LATE_LOOKS, WEBHOOK_EVENTS
from psp_gateway.ports import Inbox
from psp_gateway.use_cases.apply_events import Applying, apply_events
from psp_gateway.use_cases.look_late import Looking, look_late, plan_looks

_AT_ONCE = 256
# Events gather meanwhile: a round costs as much for one as for many.
_ROUND_S = 0.05


def blame(what: str, error: Exception) -> None:
    """Log what a fault of ours left for later."""
    logger().error("left", operation=what, error=error)


def late_looker(looking: Looking, poll_s: float) -> Job:
    """Look at what was given up, by the schedule."""

    async def work() -> bool:
        await plan_looks(looking)
        found = await look_late(looking)
        for what, count in found.items():
            LATE_LOOKS.labels(what.name.lower()).inc(count)
        return sum(found.values()) > 0

    async def job(stopping: asyncio.Event) -> None:
        await repeat("late looks", work, stopping, pause_s=poll_s)

    return job


def inbox_worker(
    inbox: Inbox, applying: Applying, arrived: asyncio.Event, poll_s: float, faults: FaultPoints
) -> Job:
    """Apply events as they arrive, and what was put off. Any number of instances may do so."""

    async def work() -> bool:
        claimed = await inbox.claim(_AT_ONCE)
        if not claimed:
            return False
        await faults.reach("psp.events_claimed")
        settled = await apply_events(applying, claimed)
        await faults.reach("psp.events_applied")
        await inbox.settle(settled)
        for told in settled:
            WEBHOOK_EVENTS.labels(told.event.psp, told.state.value).inc()
            if told.state is State.CONTRADICTS:
                logger().error("psp_contradicts", number=told.number, reason=told.note)
        await asyncio.sleep(_ROUND_S)
        return True

    async def job(stopping: asyncio.Event) -> None:
        await repeat("inbox", work, stopping, pause_s=poll_s, wake=arrived)

    return job
