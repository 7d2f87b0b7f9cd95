"""The loops of payment_svc: the saga worker, which is the sweeper too, event relay, webhooks."""

import asyncio
from datetime import timedelta

from chassis.clock import Clock
from chassis.server import Job, repeat
from chassis.telemetry import logger
from payment_svc.admission import QueueAdmission
from payment_svc.audit_ports import AuditStore, AuditWitnesses, LedgerBooks
from payment_svc.coordinator import Coordinator
from payment_svc.domain.backlog import BacklogLimits
from payment_svc.domain.soundness import Violation
from payment_svc.metrics import (
    AUDIT_LAST_SUCCESS,
    AUDIT_LEDGER_LAST_SUCCESS,
    AUDIT_VIOLATIONS,
    LOOP_LAG_S,
    SAGA_QUEUE,
    SAGA_QUEUE_AGE,
    UNKNOWN_OUTCOMES,
)
from payment_svc.operations.ports import OperatorStore
from payment_svc.operations.wiring import Operations
from payment_svc.outbox import Relay
from payment_svc.queue_sign import QueueSign
from payment_svc.saga_store import PostgresSagaStore
from payment_svc.sagas.journey import Queue
from payment_svc.use_cases.audit_payments import audit_payments
from payment_svc.use_cases.describe_queues import QueueKey, Standing, describe_queues
from payment_svc.webhooks.courier import WEBHOOK_BACKLOG, Courier
from payment_svc.webhooks.queue import PostgresWebhookQueue

_RELAY_EVERY_S = 1.0
_GATHER_S = 0.01  # events that come within it share a page
_COUNT_EVERY_S = 5.0
_LOOK_EVERY_S = 0.2
_UNKNOWN_EVERY_S = 0.5
_FEEL_EVERY_S = 0.05
_UNKNOWN_FOR_S = (0, 300)
_APPLY_EVERY_S = 5.0
_AUDITED = ("I4", "I5", "I6", "I7", "I8")


def saga_worker(
    store: PostgresSagaStore, coordinator: Coordinator, wake: asyncio.Event, poll_s: float
) -> Job:
    """Walk due sagas: at once when woken, else every `poll_s`. What is due is never forgotten."""

    async def release() -> bool:
        logger().info("worker_started", count=await store.release_own())
        return False

    async def job(stopping: asyncio.Event) -> None:
        await repeat("release", release, stopping, pause_s=poll_s, once=True)
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

    async def release() -> bool:
        await queue.release_own()
        return False

    async def job(stopping: asyncio.Event) -> None:
        await repeat("release", release, stopping, pause_s=poll_s, once=True)
        await repeat("webhooks", work, stopping, pause_s=poll_s, wake=wake)
        await courier.finish()

    return job


def backlog_watch(
    store: PostgresSagaStore, admission: QueueAdmission, limits: BacklogLimits, sign: QueueSign
) -> Job:
    """Look all the time at how much waits, so that no request has to; the edge is told."""

    async def work() -> bool:
        admission.saw(await store.backlog(limits.depth_max + 1))
        await sign.show(admission.early_wait())
        return False

    async def job(stopping: asyncio.Event) -> None:
        await repeat("backlog", work, stopping, pause_s=_LOOK_EVERY_S)

    return job


def unknown_gauge(store: PostgresSagaStore) -> Job:
    """Tell Prometheus of how many sagas it is not known whether money moved."""

    async def work() -> bool:
        for age_s in _UNKNOWN_FOR_S:
            count = await store.unknown(timedelta(seconds=age_s))
            UNKNOWN_OUTCOMES.labels(str(age_s)).set(count)
        return False

    async def job(stopping: asyncio.Event) -> None:
        await repeat("unknown", work, stopping, pause_s=_UNKNOWN_EVERY_S)

    return job


def loop_watch() -> Job:
    """Tell Prometheus by how much the event loop is late: each request waits so long, at each of
    its own steps.
    """

    async def job(stopping: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        while not stopping.is_set():
            planned = loop.time() + _FEEL_EVERY_S
            await asyncio.sleep(_FEEL_EVERY_S)
            LOOP_LAG_S.observe(max(loop.time() - planned, 0.0))

    return job


def resolution_applier(operations: Operations) -> Job:
    """Go on with approved resolutions that a crash, or trouble of a neighbour, has interrupted."""

    async def job(stopping: asyncio.Event) -> None:
        await repeat("resolutions", operations.apply_approved, stopping, pause_s=_APPLY_EVERY_S)

    return job


def queue_gauges(store: OperatorStore, webhooks: PostgresWebhookQueue) -> Job:
    """Tell Prometheus how deep the queues are, how old, and why."""
    told = {QueueKey(queue, "pay_in", "NONE") for queue in Queue if queue is not Queue.DONE}

    async def work() -> bool:
        found = await describe_queues(store)
        told.update(found)
        for key in told:
            # What is empty by now says so: a series that merely ends looks like a lost scrape.
            standing = found.get(key, Standing(0, timedelta(0)))
            labels = (key.queue.value, key.kind, key.reason_class)
            SAGA_QUEUE.labels(*labels).set(standing.count)
            SAGA_QUEUE_AGE.labels(*labels).set(standing.oldest_age.total_seconds())
        WEBHOOK_BACKLOG.set(await webhooks.count_due())
        return False

    async def job(stopping: asyncio.Event) -> None:
        await repeat("gauges", work, stopping, pause_s=_COUNT_EVERY_S)

    return job


def payment_audit(
    store: AuditStore, witnesses: AuditWitnesses, clock: Clock, every_s: float, window: timedelta
) -> Job:
    """Judge the payments that were made, or came to rest, in the newest `window`, and tell
    Prometheus; a line in the log for each violation. Who offends is judged again each time, until
    it does not, however long ago it moved; only this instance's end forgets it.
    """
    offenders: set[str] = set()

    async def work() -> bool:
        counts = dict.fromkeys(_AUDITED, 0)
        now, seen = clock(), set[str]()
        since = now - window
        found = audit_payments(
            store, witnesses, clock,
            created_from=since, created_to=now, rested_from=since, also=offenders,
        )  # fmt: skip
        async for told in found:
            if isinstance(told, Violation):
                counts[told.invariant] += 1
                seen.add(told.payment_id)
                logger().error(
                    "payment_unsound",
                    operation=told.invariant,
                    payment_id=told.payment_id,
                    reason=told.how,
                )
        for invariant, count in counts.items():
            AUDIT_VIOLATIONS.labels(invariant).set(count)
        offenders.clear()
        offenders.update(seen)
        AUDIT_LAST_SUCCESS.set(clock().timestamp())
        return False

    async def job(stopping: asyncio.Event) -> None:
        await repeat("audit", work, stopping, pause_s=every_s)

    return job


def ledger_audit(books: LedgerBooks, clock: Clock, every_s: float) -> Job:
    """Ask the ledger for its sums (I1) and its proof (I2), and tell Prometheus."""

    async def work() -> bool:
        differences = await books.differences()
        wrong = {currency: amount for currency, amount in differences.items() if amount}
        for currency, amount in wrong.items():
            logger().error("ledger_unsound", operation="I1", reason=f"{amount} {currency}")
        proof = await books.proof()
        for reason in proof.first:
            logger().error("ledger_unsound", operation="I2", reason=reason)
        AUDIT_VIOLATIONS.labels("I1").set(len(wrong))
        AUDIT_VIOLATIONS.labels("I2").set(proof.offence_count)
        AUDIT_LEDGER_LAST_SUCCESS.set(clock().timestamp())
        return False

    async def job(stopping: asyncio.Event) -> None:
        await repeat("ledger_audit", work, stopping, pause_s=every_s)

    return job
