"""The sign that too much waits, in a real Redis: payment_svc hangs it out, the edge sees it."""

import socket
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from edge_auth import queue_sign as at_edge
from edge_auth.domain.buckets import Buckets
from payment_svc import queue_sign as at_payment

SECONDS = [0.0]
NUMBERS = range(2)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """An empty Redis."""
    async with Redis.from_url(redis_url, decode_responses=True) as client:
        await client.flushall()
        yield client


def edge(redis: Redis) -> at_edge.QueueSign:
    """Make the edge's side; one request of each client passes, and no more."""
    return at_edge.QueueSign(redis, Buckets(lambda: SECONDS[0]), 0.001)


def test_both_speak_of_the_same_sign() -> None:
    """They share no code."""
    assert at_edge.KEY == at_payment.KEY


async def test_it_is_seen_while_it_hangs(redis: Redis) -> None:
    """Up, down and lost: who wants to pay is turned away only while it hangs."""
    hung, seen = at_payment.QueueSign(redis), edge(redis)

    await seen.look()
    assert seen.wait_s("demo", "k0") == 0
    await hung.show(timedelta(seconds=3))
    await seen.look()
    assert [seen.wait_s("demo", f"k{n}") for n in (1, 2, 3)] == [0, 3, 3]
    assert [seen.wait_s("other", f"k{n}") for n in (1, 2)] == [0, 3]
    assert [seen.wait_s("demo", f"k{n}") for n in (0, 1, 2)] == [0, 0, 3], "passed once"
    await hung.show(None)
    await seen.look()
    assert seen.wait_s("demo", "new") == 0
    await hung.show(timedelta(seconds=1))
    await redis.flushall()
    await seen.look()
    assert seen.wait_s("demo", "new") == 0


async def test_it_falls_when_nobody_renews_it(redis: Redis) -> None:
    """Who hung it out may have died: it is gone within a second."""
    await at_payment.QueueSign(redis).show(timedelta(seconds=9))

    assert 0 < await redis.pttl(at_edge.KEY) <= 1000


async def test_without_redis_nobody_is_turned_away_by_it() -> None:
    """It is a hint: neither side fails."""
    async with Redis.from_url("redis://127.0.0.1:1") as gone:
        seen = edge(gone)
        await at_payment.QueueSign(gone).show(timedelta(seconds=1))
        await seen.look()

    assert seen.wait_s("demo", "new") == 0


@pytest.mark.parametrize("told", ["soon", "nan", "inf", "-1", "1e9"])
async def test_what_it_says_must_be_a_few_seconds(redis: Redis, told: str) -> None:
    """Anything else is no sign."""
    await redis.set(at_edge.KEY, told)
    seen = edge(redis)
    await seen.look()

    assert [seen.wait_s("demo", f"new{n}") for n in NUMBERS] == [0, 0]


async def test_a_redis_that_is_silent_takes_the_sign_down(redis: Redis) -> None:
    """Nobody is turned away for ever by what was seen before, and looking goes on."""
    listener = socket.create_server(("127.0.0.1", 0))  # connects, and nobody ever answers
    port = listener.getsockname()[1]
    await at_payment.QueueSign(redis).show(timedelta(seconds=9))
    seen = edge(redis)
    await seen.look()
    assert [seen.wait_s("demo", f"old{n}") for n in NUMBERS] == [0, 9]

    async with Redis.from_url(f"redis://127.0.0.1:{port}") as silent:
        seen._redis = silent
        await seen.look()
        await at_payment.QueueSign(silent).show(timedelta(seconds=9))
    listener.close()

    assert [seen.wait_s("demo", f"new{n}") for n in NUMBERS] == [0, 0]
