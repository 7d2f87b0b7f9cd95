"""DescribeQueues: how deep the queues are, how old, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from payment_svc.operations.ports import OperatorStore
from payment_svc.sagas.journey import Queue
from payment_svc.sagas.reasons import reason_class


@dataclass(frozen=True, slots=True)
class QueueKey:
    """A queue, a kind of saga, and a class of reasons: few, however many sagas there are."""

    queue: Queue
    kind: str
    reason_class: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How many stand there, and how long the oldest has."""

    count: int
    oldest_age: timedelta


async def describe_queues(store: OperatorStore) -> Mapping[QueueKey, Standing]:
    """Count all queues but DONE by kind and class of reason; what is empty is left out."""
    found: dict[QueueKey, Standing] = {}
    for depth in await store.depths():
        key = QueueKey(depth.queue, depth.kind, reason_class(depth.reason))
        before = found.get(key, Standing(0, timedelta(0)))
        oldest = max(before.oldest_age, depth.oldest_age)
        found[key] = Standing(before.count + depth.count, oldest)
    return dict(sorted(found.items(), key=lambda item: _place(item[0])))


def _place(key: QueueKey) -> tuple[int, str, str]:
    return list(Queue).index(key.queue), key.kind, key.reason_class
