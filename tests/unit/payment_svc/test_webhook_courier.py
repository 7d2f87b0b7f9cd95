"""The courier with a queue and a postman made of memory."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from chassis.faults import FaultPoints
from payment_svc.domain.webhook_delivery import (
    Attempt,
    AttemptFailure,
    Delivery,
    DeliveryStatus,
    RetrySchedule,
    Verdict,
)
from payment_svc.webhooks.courier import Courier
from payment_svc.webhooks.ports import LostDelivery
from tests.builders import NOW
from tests.unit.payment_svc.webhook_builders import make_delivery


@dataclass
class MemoryQueue:
    """`WebhookQueue` in memory; `lost` are deliveries that somebody else has claimed since."""

    due: list[Delivery] = field(default_factory=list)
    lost: set[int] = field(default_factory=set)
    recorded: list[tuple[Delivery, Attempt, Verdict]] = field(default_factory=list)

    async def claim(self, limit: int) -> Sequence[Delivery]:
        """Take the first."""
        claimed, self.due = self.due[:limit], self.due[limit:]
        return claimed

    async def record(self, delivery: Delivery, attempt: Attempt, verdict: Verdict) -> None:
        """Note it."""
        if delivery.delivery_id in self.lost:
            raise LostDelivery
        self.recorded.append((delivery, attempt, verdict))

    async def release_own(self) -> int:
        """Nothing is held."""
        return 0


@dataclass
class MemoryPostman:
    """`Postman` that answers 200, except where the URL has no gate open."""

    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    posted: list[Delivery] = field(default_factory=list)

    async def post(self, delivery: Delivery) -> Attempt:
        """Post when the gate opens."""
        self.posted.append(delivery)
        if delivery.url in self.gates:
            await self.gates[delivery.url].wait()
        return Attempt(NOW, timedelta(milliseconds=5), 200)


def make_courier(
    queue: MemoryQueue, postman: MemoryPostman, *, in_flight_max: int = 4, fault: str = ""
) -> tuple[Courier, asyncio.Event]:
    """Make a courier, and what it sets when a delivery has ended."""
    ended = asyncio.Event()
    courier = Courier(
        queue,
        postman,
        clock=lambda: NOW,
        schedule=RetrySchedule(),
        in_flight_max=in_flight_max,
        faults=FaultPoints.parse(fault, "development"),
        ended=ended.set,
        chance=lambda: 0.5,
    )
    return courier, ended


async def test_what_is_sent_is_recorded() -> None:
    """A delivery ends with one record."""
    queue, postman = MemoryQueue([make_delivery()]), MemoryPostman()
    courier, ended = make_courier(queue, postman)

    assert await courier.claim_and_send()
    await asyncio.wait_for(ended.wait(), 60)
    await courier.finish()

    assert not await courier.claim_and_send()
    ((_, attempt, verdict),) = queue.recorded
    assert (attempt.http_status, verdict.status) == (200, DeliveryStatus.DELIVERED)


async def test_no_more_than_there_is_room_for() -> None:
    """What is over the limit stays in the queue until something has ended."""
    queue = MemoryQueue([make_delivery(delivery_id=n, url="slow") for n in range(5)])
    postman = MemoryPostman({"slow": asyncio.Event()})
    courier, ended = make_courier(queue, postman, in_flight_max=2)

    assert await courier.claim_and_send()
    assert not await courier.claim_and_send()
    assert len(queue.due) == 3
    postman.gates["slow"].set()
    await asyncio.wait_for(ended.wait(), 60)
    await courier.finish()

    assert await courier.claim_and_send()
    await courier.finish()
    assert len(queue.recorded) == 4


async def test_a_slow_one_holds_nobody_up() -> None:
    """While one endpoint takes its time, another is served."""
    queue = MemoryQueue([make_delivery(delivery_id=1, url="slow")])
    postman = MemoryPostman({"slow": asyncio.Event()})
    courier, ended = make_courier(queue, postman)
    await courier.claim_and_send()

    queue.due.append(make_delivery(delivery_id=2, url="fast"))
    assert await courier.claim_and_send()
    await asyncio.wait_for(ended.wait(), 60)

    assert [delivery.delivery_id for delivery, _, _ in queue.recorded] == [2]
    postman.gates["slow"].set()
    await courier.finish()
    assert len(queue.recorded) == 2


async def test_an_endpoint_that_is_gone_is_sent_nothing() -> None:
    """Its deliveries fail without a request, and can be asked for again."""
    queue, postman = MemoryQueue([make_delivery(is_wanted=False)]), MemoryPostman()
    courier, _ = make_courier(queue, postman)

    await courier.claim_and_send()
    await courier.finish()

    ((_, attempt, verdict),) = queue.recorded
    assert postman.posted == []
    assert attempt.failure is AttemptFailure.ENDPOINT_GONE
    assert verdict.status is DeliveryStatus.FAILED


async def test_one_that_fails_here_does_not_stop_the_others() -> None:
    """A lost lease, or an error of our own, ends one delivery; the lease brings it back."""
    queue = MemoryQueue([make_delivery(delivery_id=n) for n in range(3)], lost={1})
    courier, _ = make_courier(queue, MemoryPostman(), fault="webhooks.sent=fail")

    await courier.claim_and_send()
    await courier.finish()

    assert [delivery.delivery_id for delivery, _, _ in queue.recorded] == [2]
