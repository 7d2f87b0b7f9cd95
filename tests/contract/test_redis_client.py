"""A Redis client follows the name after a failover, and meets what is silent once in all, not once
for each connection.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from chassis.redis_client import AWAY, open_redis
from chassis.settings import SettingsError
from privacy.masked import Secret
from tests.chaos.door import Door
from tests.servers import RedisServer, free_port

DEADLINE_S = 60.0
SILENCE_S = 3.0  # after which a server counts as silent: a busy one has answered by then
AT_ONCE = 5

Ask = Callable[[Redis], Awaitable[object]]
# By what a server says that it is another's turn.
SAYS: Mapping[str, Mapping[str, str]] = {
    "READONLY": {},
    "NOREPLICAS": {"min-replicas-to-write": "1"},
    "MASTERDOWN": {"replica-serve-stale-data": "no"},
}


@dataclass(slots=True)
class Named:
    """A name that leads to one of two servers.

    Attributes:
        door: where the name leads.
        place: the file by which the door finds the server.
    """

    url: str
    door: Door
    place: Path
    former: RedisServer
    heir: RedisServer

    def lead_to(self, server: RedisServer) -> None:
        """Let new connections come out at a server; who is connected stays where he is."""
        self.place.write_text(f"\n\n\n{urlsplit(server.url).port}\n")

    async def fail_over(self, says: str) -> None:
        """Let the former server say that it is the other's turn, and the name lead to that."""
        async with Redis.from_url(self.former.url) as redis:
            for name, value in SAYS[says].items():
                await redis.config_set(name, value)
            if says != "NOREPLICAS":
                await redis.replicaof("127.0.0.1", str(free_port()))
        self.lead_to(self.heir)


@pytest.fixture
async def named(tmp_path: Path) -> AsyncIterator[Named]:
    """A name that leads to the former server."""
    folders = [tmp_path / "former", tmp_path / "heir"]
    for folder in folders:
        folder.mkdir()
    place = tmp_path / "place"
    door = Door(place)
    server = await asyncio.start_server(door.enter, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with RedisServer.start(folders[0]) as former, RedisServer.start(folders[1]) as heir:
        made = Named(f"redis://127.0.0.1:{port}/0", door, place, former, heir)
        made.lead_to(former)
        yield made
        server.close()
        door.command(["reset"])
        async with asyncio.timeout(DEADLINE_S):
            while door.open:
                await asyncio.sleep(0.01)


async def by_command(redis: Redis) -> object:
    """Write with a command."""
    return await redis.set("k", "v")


async def by_script(redis: Redis) -> object:
    """Write in a script."""
    return await redis.register_script("return redis.call('SET', KEYS[1], 'v')")(keys=["k"])


async def by_pipeline(redis: Redis) -> object:
    """Write with several commands at once."""
    async with redis.pipeline(transaction=False) as pipe:
        pipe.set("k", "v")
        pipe.set("l", "w")
        return await pipe.execute()


@pytest.mark.parametrize("says", SAYS)
@pytest.mark.parametrize("write", [by_command, by_script, by_pipeline])
async def test_after_a_failover_a_write_reaches_the_heir(
    named: Named, says: str, write: Ask
) -> None:
    """At once where one may ask twice, else the next time; and it is done there."""
    async with (
        open_redis(Secret(named.url), DEADLINE_S) as patient,
        open_redis(Secret(named.url), DEADLINE_S, retries=0) as impatient,
        Redis.from_url(named.heir.url) as heir,
    ):
        for redis in (patient, impatient):
            await write(redis)
        await named.fail_over(says)

        await write(patient)
        assert await heir.getdel("k") == b"v"
        with pytest.raises(AWAY):
            await write(impatient)
        assert await heir.get("k") is None
        await write(impatient)
        assert await heir.get("k") == b"v"


async def test_silence_is_met_once(named: Named) -> None:
    """All connections that wait to be used are left with the one that was silent."""
    async with open_redis(Secret(named.url), SILENCE_S, retries=0) as redis:
        await asyncio.gather(*(redis.blpop(["none"], 0.1) for _ in range(AT_ONCE)))
        assert len(named.door.open) == AT_ONCE
        for passage in named.door.open:
            passage.is_damaged = True  # silent for ever, as where a firewall has forgotten it
        with pytest.raises(AWAY):
            await redis.ping()

        answers = await asyncio.gather(*(redis.ping() for _ in range(AT_ONCE)))

    assert answers == [True] * AT_ONCE


async def test_who_is_told_that_he_is_wrong_stays(named: Named) -> None:
    """It is no other server's turn for that; nor does it count as a reason to ask again."""
    async with open_redis(Secret(named.url), DEADLINE_S) as redis:
        await redis.set("text", "no list")
        before = await redis.client_id()

        with pytest.raises(ResponseError, match="WRONGTYPE"):
            await redis.lpush("text", "v")

        assert await redis.client_id() == before


async def test_a_server_that_is_not_there_is_away() -> None:
    """Opening it asks nothing of it; a command says so."""
    async with open_redis(Secret(f"redis://127.0.0.1:{free_port()}/0"), DEADLINE_S) as redis:
        with pytest.raises(RedisError):
            await redis.ping()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "cache",
        "http://u:hidden@cache/0",  # pragma: allowlist secret
        "redis://u:hidden@cache:x/0",  # pragma: allowlist secret
    ],
)
def test_a_url_that_cannot_be_read_is_named_not_shown(url: str) -> None:
    """The error names the setting, and holds no part of a secret."""
    with pytest.raises(SettingsError, match="REDIS_URL") as caught:
        open_redis(Secret(url), DEADLINE_S)

    assert "hidden" not in str(caught.value)
    assert caught.value.__cause__ is None
