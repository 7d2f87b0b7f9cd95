"""Limits and nonces on a real Redis, shared by instances, and in the process while it is away."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from chassis.redis_client import open_redis
from edge_auth.domain.limits import UNLIMITED, Limit, Nonce
from edge_auth.ports import Turnstile
from edge_auth.turnstile import LocalTurnstile, RedisTurnstile
from privacy.masked import Secret
from tests.servers import RedisServer, free_port

SLOW = 0.001  # requests a second: none comes back while a test runs


def of(name: str, burst: int, subject: str = "", per_second: float = SLOW) -> Limit:
    """Make a limit on a subject of its own."""
    return Limit(name, subject or uuid4().hex, per_second, burst)


def redis_at(url: str) -> Redis:
    """Open Redis as the service does."""
    return open_redis(Secret(url), 30, retries=0)


def turnstile_at(redis: Redis) -> RedisTurnstile:
    """Make a turnstile that never forgets that Redis was away."""
    return RedisTurnstile(redis, LocalTurnstile(lambda: 0.0), lambda: 0.0)


@pytest.fixture(params=["redis", "local"])
async def turnstile(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[Turnstile]:
    """Each kind of turnstile: what holds of one holds of the other."""
    if request.param == "local":
        yield LocalTurnstile(lambda: 0.0)
        return
    async with redis_at(redis_url) as redis:
        yield turnstile_at(redis)


async def test_burst_passes_and_the_next_waits(turnstile: Turnstile) -> None:
    """What is left counts down to the refusal, which tells when the next passes."""
    limit = of("client", 3)

    passages = [await turnstile.enter([limit]) for _ in range(4)]

    assert [passage.left for passage in passages] == [2, 1, 0, 0]
    assert [passage.wait_s > 0 for passage in passages] == [False, False, False, True]
    assert passages[3].wait_s == pytest.approx(1000, abs=30)
    assert passages[0].full_s == pytest.approx(1000, abs=30)


async def test_request_that_one_limit_refuses_takes_nothing_of_the_others(
    turnstile: Turnstile,
) -> None:
    """A client is not charged for what its address may not send."""
    client, address = of("client", 2), of("address", 1)

    first, refused, alone = [
        await turnstile.enter(limits) for limits in ([client, address], [client, address], [client])
    ]

    assert (first.wait_s, alone.wait_s) == (0, 0)
    assert refused.wait_s > 0
    assert refused.limit == address


async def test_no_limit_is_nothing_to_count(turnstile: Turnstile) -> None:
    """A rate of 0 lets everything pass."""
    assert await turnstile.enter([of("client", 1, per_second=0)]) == UNLIMITED


async def test_subjects_and_kinds_of_limits_do_not_share(turnstile: Turnstile) -> None:
    """A client named like an address has a limit of its own."""
    name = uuid4().hex

    kinds = [await turnstile.enter([of(kind, 1, name)]) for kind in ("client", "address")]

    assert [passage.wait_s for passage in kinds] == [0, 0]


async def test_tokens_come_back_with_time(turnstile: Turnstile) -> None:
    """At a thousand a second the next passes in a moment; here the clock of Redis runs."""
    if isinstance(turnstile, LocalTurnstile):
        now = iter(range(100))
        turnstile = LocalTurnstile(lambda: float(next(now)))
    limit = of("client", 1, per_second=1000)
    async with asyncio.timeout(60):
        for _ in range(5):
            while (await turnstile.enter([limit])).wait_s:
                pass


async def test_two_instances_share_a_limit(redis_url: str) -> None:
    """Twenty at once over two instances: ten pass, whoever asks."""
    limit = of("client", 10)
    async with redis_at(redis_url) as one, redis_at(redis_url) as other:
        instances = [turnstile_at(one), turnstile_at(other)]

        passages = await asyncio.gather(*(instances[n % 2].enter([limit]) for n in range(20)))

    assert sum(passage.wait_s == 0 for passage in passages) == 10


async def test_nonce_passes_once_over_two_instances(redis_url: str) -> None:
    """Of twenty at once one is fresh; another client's is another nonce."""
    nonce = uuid4().hex
    async with redis_at(redis_url) as one, redis_at(redis_url) as other:
        instances = [turnstile_at(one), turnstile_at(other)]

        passages = await asyncio.gather(
            *(instances[n % 2].enter([], "a", nonce) for n in range(20))
        )
        beside = await instances[0].enter([], "b", nonce)

    told = sorted(passage.nonce.value for passage in passages)
    assert told == [Nonce.FRESH.value] + [Nonce.USED.value] * 19
    assert beside.nonce is Nonce.FRESH


async def test_limited_request_keeps_its_nonce(redis_url: str) -> None:
    """Who has to wait may send the very same request later."""
    nonce, limit = uuid4().hex, of("client", 1)
    async with redis_at(redis_url) as redis:
        turnstile = turnstile_at(redis)
        await turnstile.enter([limit])

        refused = await turnstile.enter([limit], "a", nonce)
        later = await turnstile.enter([], "a", nonce)

    assert (refused.wait_s > 0, refused.nonce) == (True, Nonce.NONE)
    assert later.nonce is Nonce.FRESH


async def test_everything_in_redis_ends_by_itself(redis_url: str) -> None:
    """Nonces and limits expire; a caller's own words are no keys."""
    nonce = f"word-{uuid4().hex}"
    async with redis_at(redis_url) as redis:
        await redis.flushall()
        await turnstile_at(redis).enter([of("client", 3, "somebody")], "a", nonce)

        places = [place async for place in redis.scan_iter("edge:*", count=1000)]
        ends = [await redis.ttl(place) for place in places if b"revision" not in place]

    assert ends
    assert min(ends) > 0
    assert nonce not in str(places)


async def test_while_redis_is_away_limits_hold_here_and_nonces_are_unknown() -> None:
    """Each instance counts for itself; nobody can tell whether a nonce is new."""
    limit = of("client", 2)
    async with redis_at(f"redis://127.0.0.1:{free_port()}/0") as nobody:
        turnstile = turnstile_at(nobody)

        passages = [await turnstile.enter([limit], "a", "n") for _ in range(3)]

    assert [passage.wait_s > 0 for passage in passages] == [False, False, True]
    assert {passage.nonce for passage in passages} == {Nonce.UNKNOWN}


async def test_redis_is_asked_again_a_second_after_it_failed(tmp_path: Path) -> None:
    """Until then nothing waits for it; then it counts again."""
    now = 0.0
    with RedisServer.start(tmp_path) as server:
        async with redis_at(server.url) as redis:
            turnstile = RedisTurnstile(redis, LocalTurnstile(lambda: 0.0), lambda: now)
            server.process.kill()
            server.process.wait(30)
            away = await turnstile.enter([], "a", "n1")
            port = server.url.rpartition(":")[2].partition("/")[0]
            again = await asyncio.create_subprocess_exec(
                str(server.process.args[0]), "--port", port, "--save", "", "--dir", str(tmp_path),
                stdout=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            still = await turnstile.enter([], "a", "n2")
            async with asyncio.timeout(60):
                now = 1.5
                while (await turnstile.enter([], "a", uuid4().hex)).nonce is not Nonce.FRESH:
                    now += 1.5
                    await asyncio.sleep(0.05)
            again.terminate()
            await again.wait()

    assert [away.nonce, still.nonce] == [Nonce.UNKNOWN, Nonce.UNKNOWN]
