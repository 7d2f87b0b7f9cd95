"""Counting attempts in a real Redis: order, window, repetition, size, and what it holds."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from redis.asyncio import Redis

from chassis.errors import Unavailable
from chassis.money import Money
from risk_svc.counter import RedisAttemptCounter
from risk_svc.domain.assessment import PaymentFacts, Subject
from tests.builders import NOW, make_id
from tests.servers import RedisServer

HOUR, TICK = timedelta(hours=1), timedelta(microseconds=1)
KEPT_MAX = 20


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """An empty Redis."""
    async with Redis.from_url(redis_url) as client:
        await client.flushall()
        yield client


@pytest.fixture
def counter(redis: Redis) -> RedisAttemptCounter:
    """A counter that keeps 20 attempts a subject."""
    return RedisAttemptCounter(redis, b"key", kept_max=KEPT_MAX)


def attempt(buyer: str = "b", *, client_id: str = "demo") -> PaymentFacts:
    """Make a new payment of a buyer."""
    subjects = {Subject.BUYER: buyer}
    return PaymentFacts(make_id("pay"), client_id, Money.parse("1.00", "USD"), subjects)


async def count(
    counter: RedisAttemptCounter, *payments: PaymentFacts, now: datetime = NOW
) -> list[int]:
    """Count payments in one batch; answer the buyers' counts."""
    return [found[Subject.BUYER] for found in await counter.count(payments, now)]


async def test_a_batch_counts_in_its_order(counter: RedisAttemptCounter) -> None:
    """Two payments of one buyer in one batch see 1 and 2; another buyer's sees 1."""
    assert await count(counter, attempt(), attempt("c"), attempt()) == [1, 1, 2]


async def test_a_payment_counted_again_sees_its_first_count(counter: RedisAttemptCounter) -> None:
    """Counting again, as after a crash before storing, changes no count of anybody."""
    payments = [attempt() for _ in range(12)]
    await count(counter, *payments)

    again = [(await count(counter, payment))[0] for payment in payments]

    assert again == list(range(1, 13))
    assert await count(counter, attempt()) == [13]


async def test_the_window_is_one_hour_to_the_microsecond(counter: RedisAttemptCounter) -> None:
    """An attempt counts until just before an hour has passed."""
    await count(counter, attempt())

    assert await count(counter, attempt(), now=NOW + HOUR - TICK) == [2]
    assert await count(counter, attempt(), now=NOW + HOUR) == [2]
    assert await count(counter, attempt(), now=NOW + 2 * HOUR) == [1]


async def test_a_clock_that_is_behind_undercounts_nothing(counter: RedisAttemptCounter) -> None:
    """An instance whose clock is behind takes its place after what is there."""
    await count(counter, attempt(), attempt())

    assert await count(counter, attempt(), now=NOW - timedelta(seconds=5)) == [3]


async def test_a_set_stays_small_and_its_count_stays_up(
    counter: RedisAttemptCounter, redis: Redis
) -> None:
    """Beyond what is kept the count stays at the most, also for a payment counted before."""
    payments = [attempt() for _ in range(KEPT_MAX + 10)]
    counts = await count(counter, *payments)

    again = await count(counter, payments[-1], payments[15])

    assert counts == [*range(1, KEPT_MAX + 1), *[KEPT_MAX] * 10]
    assert again == [KEPT_MAX, KEPT_MAX]
    (place,) = await redis.keys("*")
    assert await redis.zcard(place) == KEPT_MAX


async def test_keys_expire_and_tell_nobody(counter: RedisAttemptCounter, redis: Redis) -> None:
    """Every key has an expiry, and neither keys nor members hold who it is."""
    await count(counter, attempt("buyer@example.com"), attempt("buyer@example.com", client_id="x"))

    places = await redis.keys("*")

    assert len(places) == 2  # two clients' buyers of one name are two buyers
    for place in places:
        assert HOUR.total_seconds() < await redis.ttl(place) <= 2 * HOUR.total_seconds()
        held = b" ".join([place, *await redis.zrange(place, 0, -1)])
        assert b"buyer" not in held
        assert b"demo" not in held


async def test_another_key_is_another_name(redis: Redis) -> None:
    """Without the key nobody can tell whose set it is."""
    await count(RedisAttemptCounter(redis, b"key"), attempt())
    await count(RedisAttemptCounter(redis, b"other"), attempt())

    assert len(await redis.keys("*")) == 2


async def test_nothing_to_count_asks_nobody() -> None:
    """A payment without a limited subject needs no Redis."""
    facts = PaymentFacts("pay_1", "demo", Money.parse("1.00", "USD"), {})
    async with Redis(port=1) as nowhere:
        assert await RedisAttemptCounter(nowhere, b"key").count([facts], NOW) == [{}]


async def test_a_redis_that_ends_is_unavailable(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A Redis that was there and is gone cannot be counted with."""
    with RedisServer.start(tmp_path_factory.mktemp("redis")) as server:
        client = Redis.from_url(server.url)
        counter = RedisAttemptCounter(client, b"key")
        assert await count(counter, attempt()) == [1]

    with pytest.raises(Unavailable):
        await count(counter, attempt())
    await client.aclose()
