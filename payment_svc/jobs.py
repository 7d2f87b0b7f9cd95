"""The loops of payment_svc: the saga worker, which is the sweeper too, event relay, webhooks."""

import asyncio
from datetime import timedelta

from chassis.outbox import Relay
from chassis.server import Job, repeat
from chassis.telemetry import logger
from payment_svc.admission import QueueAdmission
from payment_svc.coordinator import Coordinator
from payment_svc.metrics import SAGA_QUEUE, UNKNOWN_OUTCOMES
from payment_svc.saga_store import PostgresSagaStore
from payment_svc.webhooks.courier import WEBHOOK_BACKLOG, Courier
from payment_svc.webhooks.queue import PostgresWebhookQueue

_RELAY_EVERY_S = 1.0
_GATHER_S = 0.01  # events that come within it share a page
_COUNT_EVERY_S = 5.0
_LOOK_EVERY_S = 0.5
_UNKNOWN_FOR_S = (0, 300)
_QUEUES = ("PAYMENT", "RETRY", "WAITING", "DEAD_LETTER")


def saga_worker(
    store: PostgresSagaStore, coordinator: Coordinator, wake: asyncio.Event, poll_s: float
) -> Job:
    """Walk due sagas: at once when woken, else every `poll_s`. What is due is never forgotten."""

    async def job(stopping: asyncio.Event) -> None:
        released = await store.release_own()
        logger().info("worker_started", count=released)
        await repeat("sagas", coordinator.claim_and_walk, stopping, pause_s=poll_s, wake=wake)
        await coordinator.finish()

    return job


def event_relay(relay: Relay, wake: asyncio.Event) -> Job:
    """Publish events: at once when woken, else every second."""

    async def work() -> bool:
        published = await relay.publish()
        if published:
            await asyncio.sleep(_GATHER_S)
        return published > 0

    async def job(stopping: asyncio.Event) -> None:
        await repeat("events", work, stopping, pause_s=_RELAY_EVERY_S, wake=wake)

    return job


def webhook_courier(
    queue: PostgresWebhookQueue, courier: Courier, wake: asyncio.Event, poll_s: float
) -> Job:
    """Send due webhooks: soon when woken, else every `poll_s`."""

    async def work() -> bool:
        await asyncio.sleep(_GATHER_S)
        return await courier.claim_and_send()

    async def job(stopping: asyncio.Event) -> None:
        await queue.release_own()
        await repeat("webhooks", work, stopping, pause_s=poll_s, wake=wake)
        await courier.finish()

    return job


def backlog_watch(store: PostgresSagaStore, admission: QueueAdmission, depth_max: int) -> Job:
    """Look every half second at how much waits, so that no request has to."""

    async def work() -> bool:
        admission.saw(await store.backlog(depth_max + 1))
        return False

    async def job(stopping: asyncio.Event) -> None:
        await repeat("backlog", work, stopping, pause_s=_LOOK_EVERY_S)

    return job


def queue_gauges(store: PostgresSagaStore, webhooks: PostgresWebhookQueue) -> Job:
    """Tell Prometheus how deep the queues are."""

    async def work() -> bool:
        depths = await store.depths()
        for queue in _QUEUES:
            SAGA_QUEUE.labels(queue).set(depths.get(queue, 0))
        for age_s in _UNKNOWN_FOR_S:
            count = await store.unknown(timedelta(seconds=age_s))
            UNKNOWN_OUTCOMES.labels(str(age_s)).set(count)
        WEBHOOK_BACKLOG.set(await webhooks.count_due())
        return False

    async def job(stopping: asyncio.Event) -> None:
        await repeat("gauges", work, stopping, pause_s=_COUNT_EVERY_S)

    return job
