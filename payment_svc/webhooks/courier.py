"""The courier: claims due deliveries, has each one posted, and writes down what came of it."""

import asyncio
import random
from collections.abc import Callable

from prometheus_client import Counter, Gauge

from chassis.clock import Clock
from chassis.faults import FaultPoints
from chassis.telemetry import FENCED_WRITES, REGISTRY, logger
from payment_svc.domain.webhook_delivery import (
    Attempt,
    AttemptFailure,
    Delivery,
    RetrySchedule,
    judge,
)
from payment_svc.webhooks.ports import LostDelivery, Postman, WebhookQueue

WEBHOOK_ATTEMPTS = Counter(
    "paymesh_webhook_attempts_total",
    "Attempts by what came of them.",
    ["status"],
    registry=REGISTRY,
)
WEBHOOK_BACKLOG = Gauge(
    "paymesh_webhook_backlog", "Deliveries due and not yet sent.", registry=REGISTRY
)


class Courier:
    """Delivers events.

    Args:
        in_flight_max: sent at once. An endpoint's share is the queue's to keep.
        ended: told when a delivery has ended: there is room, and its endpoint's next may go.
    """

    def __init__(
        self,
        queue: WebhookQueue,
        postman: Postman,
        *,
        clock: Clock,
        schedule: RetrySchedule,
        in_flight_max: int,
        faults: FaultPoints,
        ended: Callable[[], None],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._queue = queue
        self._postman = postman
        self._clock = clock
        self._schedule = schedule
        self._in_flight_max = in_flight_max
        self._faults = faults
        self._chance = chance
        self._under_way: set[asyncio.Task[None]] = set()
        self._told = ended
        self._log = logger()

    async def claim_and_send(self) -> bool:
        """Claim as many due deliveries as there is room for and start them; answer whether there
        were any.
        """
        room = self._in_flight_max - len(self._under_way)
        claimed = await self._queue.claim(room) if room > 0 else ()
        for delivery in claimed:
            task = asyncio.create_task(self.deliver(delivery))
            self._under_way.add(task)
            task.add_done_callback(self._ended)
        return len(claimed) > 0

    async def finish(self) -> None:
        """Wait for what is under way."""
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def deliver(self, delivery: Delivery) -> None:
        """Send one delivery and record it; the lease brings back what fails here."""
        try:
            await self._faults.reach("webhooks.claimed")
            attempt = await self._attempt(delivery)
            await self._faults.reach("webhooks.sent")
            now = self._clock()
            verdict = judge(delivery, attempt, self._schedule, now, self._chance())
            await self._queue.record(delivery, attempt, verdict)
            await self._faults.reach("webhooks.recorded")
        except LostDelivery:
            FENCED_WRITES.labels("webhook_delivery").inc()
            self._log.warning("lease_lost", delivery=delivery.event.event_id)
        except Exception as error:  # noqa: BLE001 - one delivery must not stop the others
            self._log.error(
                "delivery_failed", delivery=delivery.event.event_id, error=type(error).__name__
            )
        else:
            self._tell(delivery, attempt, verdict.status)

    async def _attempt(self, delivery: Delivery) -> Attempt:
        if delivery.is_wanted:
            return await self._postman.post(delivery)
        now = self._clock()
        return Attempt(now, now - now, failure=AttemptFailure.ENDPOINT_GONE)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        self._told()

    def _tell(self, delivery: Delivery, attempt: Attempt, status: str) -> None:
        WEBHOOK_ATTEMPTS.labels(status).inc()
        if attempt.http_status is None or attempt.http_status >= 300:
            self._log.info(
                "webhook_refused",
                delivery=delivery.event.event_id,
                client_id=delivery.client_id,
                attempt=delivery.attempts + 1,
                outcome=status,
                reason=attempt.failure or str(attempt.http_status),
            )
