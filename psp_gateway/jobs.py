"""The loop of the gateway: what PSPs told is applied."""

import asyncio

from chassis.faults import FaultPoints
from chassis.server import Job, repeat
from chassis.telemetry import logger
from psp_gateway.domain.inbox import State
from psp_gateway.metrics import WEBHOOK_EVENTS
from psp_gateway.ports import Inbox
from psp_gateway.use_cases.apply_events import Applying, apply_events

_AT_ONCE = 256
# Events gather meanwhile: a round costs as much for one as for many.
_ROUND_S = 0.05


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
