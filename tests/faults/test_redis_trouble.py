"""A Redis that is down, silent, slow, full or read-only: payments are accepted and none fails; what
cannot do without it waits, or is refused with a word, and is done once Redis is itself again.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from devstack.audit import CHECKERS, gather, judge_all, quiesce, violations
from devstack.rest import FINAL, RestClient, specification_request
from devstack.services import SERVICES
from devstack.stack import Stack, running_stack
from devstack.state import reachable_folder
from tests.chaos.door import Door
from tests.conftest import whole
from tests.servers import RedisServer, free_port
from tests.signed import signed

pytestmark = pytest.mark.asyncio(loop_scope="module")

DEADLINE_S = 120.0
PAID = 3  # while it lasts
STREAM = "events.payment"
# Limits that nobody reaches, so that Redis is asked about each request and each payment.
LIMITED = {
    "CLIENT_REQUESTS_PER_SECOND": "10000",
    "CLIENT_BURST": "10000",
    **{f"RISK_VELOCITY_{subject}_PER_HOUR": "10000" for subject in ("BUYER", "CARD", "IP")},
}
_SLOW_S = 0.2  # each way: more than the edge waits for, less than risk does


Struck = Callable[[], Awaitable[int]]  # tells how often the trouble has struck


@dataclass(slots=True)
class Troubled:
    """A stack whose Redis is behind a door.

    Attributes:
        place: the file by which the door finds Redis.
        redis: straight to it, past the door.
        heir: another server, empty, with the same password.
    """

    stack: Stack
    door: Door
    place: Path
    redis: Redis
    heir: RedisServer
    password: str

    def struck_by_door(self, how: str) -> Struck:
        """Count what the door does to connections and bytes from now on."""
        before = self.door.struck[how]

        async def struck() -> int:
            return self.door.struck[how] - before

        return struck

    async def struck_by_redis(self, error: str) -> Struck:
        """Count the commands that Redis refuses with an error from now on."""

        async def refused() -> int:
            told = await self.redis.info("errorstats")
            return int(told.get(f"errorstat_{error}", {}).get("count", 0))

        before = await refused()

        async def struck() -> int:
            return await refused() - before

        return struck

    async def demote(self) -> Struck:
        """Make Redis the replica of nobody who is there; count the writes that it refuses."""
        struck = await self.struck_by_redis("READONLY")
        await self.redis.replicaof("127.0.0.1", str(free_port()))
        return struck


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack with limits that are counted in Redis."""
    with pytest.MonkeyPatch.context() as patch, reachable_folder("paymesh-redis-") as folder:
        for name, value in LIMITED.items():
            patch.setenv(name, value)
        with running_stack(folder) as stack:
            yield stack


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def troubled(stack: Stack) -> AsyncIterator[Troubled]:
    """Its Redis, moved to another port, with a door where it was."""
    configuration = stack.state.folder / "redis" / "redis.conf"
    port = urlsplit(stack["redis"]).port
    assert port is not None
    moved = free_port()
    configuration.write_text(configuration.read_text().replace(f"port {port}", f"port {moved}"))
    place = stack.state.folder / "redis" / "place"
    place.write_text(f"\n\n\n{moved}\n")
    pid = stack.kill("redis")
    door = Door(place)
    server = await in_its_place(door, port)
    await asyncio.to_thread(stack.wait_healthy, "redis", not_pid=pid)
    password = str(urlsplit(stack["redis"]).password)
    redis = Redis.from_url(f"redis://127.0.0.1:{moved}/0", password=password, decode_responses=True)
    heirs = stack.state.folder / "heir"
    heirs.mkdir()
    with RedisServer.start(heirs) as heir:
        async with Redis.from_url(heir.url) as fresh:
            await fresh.config_set("requirepass", password)
        on = Troubled(stack, door, place, redis, heir, password)
        yield on
        for used in {redis, on.redis}:
            await used.aclose()
        server.close()


async def in_its_place(door: Door, port: int) -> asyncio.Server:
    """Open a door at a port as soon as who was killed there is gone."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                return await asyncio.start_server(door.enter, "127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.01)


@pytest_asyncio.fixture(loop_scope="module")
async def rest(stack: Stack) -> AsyncIterator[RestClient]:
    """The public API with the demo client's key."""
    await asyncio.to_thread(whole, stack.state)
    async with RestClient(stack["edge"]["url"], stack["client"]["api_key"]) as client:
        yield client


@asynccontextmanager
async def down(on: Troubled) -> AsyncIterator[Struck]:
    """Nobody is there, and every service is started anew meanwhile."""
    there, struck = on.place.read_text(), on.struck_by_door("refused")
    on.place.write_text("")
    on.door.command(["reset"])
    pids = {service.name: on.stack.kill(service.name) for service in SERVICES}
    for name, pid in pids.items():
        await asyncio.to_thread(on.stack.wait_healthy, name, not_pid=pid)
    try:
        yield struck
    finally:
        on.place.write_text(there)


@asynccontextmanager
async def silent(on: Troubled) -> AsyncIterator[Struck]:
    """Connections stay open and no byte comes through; those stay as they are for ever."""
    struck = on.struck_by_door("blackhole")
    on.door.command(["mode", "blackhole"])
    try:
        yield struck
    finally:
        on.door.mode = "ok"  # for others: as where a firewall has forgotten a connection


@asynccontextmanager
async def slow(on: Troubled) -> AsyncIterator[Struck]:
    """Each answer is late."""
    struck = on.struck_by_door("delay")
    on.door.command(["mode", "delay", str(_SLOW_S)])
    try:
        yield struck
    finally:
        on.door.command(["mode", "ok"])


@asynccontextmanager
async def full(on: Troubled) -> AsyncIterator[Struck]:
    """It takes nothing in, and throws nothing out."""
    struck = await on.struck_by_redis("OOM")
    await on.redis.config_set("maxmemory-policy", "noeviction")
    await on.redis.config_set("maxmemory", 1)
    try:
        yield struck
    finally:
        await on.redis.config_set("maxmemory", 0)


@asynccontextmanager
async def read_only(on: Troubled) -> AsyncIterator[Struck]:
    """It is the replica of somebody, as after a failover."""
    struck = await on.demote()
    try:
        yield struck
    finally:
        await on.redis.replicaof("NO", "ONE")


@asynccontextmanager
async def failed_over(on: Troubled) -> AsyncIterator[Struck]:
    """As read-only, but for good: the name leads to another server now, and who is connected to the
    former one stays so until he hangs up.
    """
    struck = await on.demote()
    try:
        yield struck
    finally:
        on.place.write_text(f"\n\n\n{urlsplit(on.heir.url).port}\n")
        on.redis = Redis.from_url(on.heir.url, password=on.password, decode_responses=True)


@pytest.mark.parametrize(
    ("trouble", "counts"),
    [
        (down, False), (silent, False), (slow, True), (full, None), (read_only, False),
        (failed_over, False),
    ],
)  # fmt: skip
async def test_trouble_of_redis_fails_no_payment(
    troubled: Troubled, rest: RestClient, trouble: Any, *, counts: bool | None
) -> None:
    """`counts`: whether risk can count meanwhile, and so decide; None: a Redis that is full may let
    a script go on that has begun to write.
    """
    stack = troubled.stack
    async with trouble(troubled) as struck:
        before = pids(stack)
        answers = [await rest.create(request()) for _ in range(PAID)]
        assert [answer.status for answer in answers] == [200] * PAID, answers
        asked = [str(answer.body["payment_id"]) for answer in answers]
        await until(lambda: signed_reads(stack, asked[0], 503))
        status, body = await signed_create(stack)
        assert status == 200, body
        asked.append(body["payment_id"])
        if counts:
            ends = [await rest.until_final(one, DEADLINE_S) for one in asked]
            assert {end["status"] for end in ends} == {"COMPLETED"}
        else:
            await until(lambda: events_wait(stack))
        await until(struck)
        for one in asked:
            told = await rest.get(one)
            assert told.status == 200, told.body
            assert counts is not False or told.body["status"] not in FINAL, told.body
    assert pids(stack) == before

    ends = [await rest.until_final(one, DEADLINE_S) for one in asked]
    assert {end["status"] for end in ends} == {"COMPLETED"}
    await until(lambda: signed_reads(stack, asked[0], 200))
    await quiesce(stack, DEADLINE_S, steady_s=0.5)
    assert await published(troubled, asked)
    assert violations(judge_all(CHECKERS, await gather(stack))) == []


def request() -> dict[str, Any]:
    """Write a payment of an order of its own."""
    return specification_request(str(uuid4()))


def pids(stack: Stack) -> dict[str, int]:
    """Tell which processes run as services now."""
    return {name: one["pid"] for name, one in stack.state.running()["services"].items()}


async def until(is_so: Callable[[], Awaitable[object]]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(DEADLINE_S):
        while not await is_so():
            await asyncio.sleep(0.05)


async def events_wait(stack: Stack) -> bool:
    """Tell whether payment_svc tries to publish, and has not yet."""
    url = stack["services"]["payment_svc"]["metrics"]
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        (told,) = re.findall(r"^paymesh_outbox_backlog (\S+)$", await answer.text(), re.MULTILINE)
    return float(told) > 0


async def signed_reads(stack: Stack, payment_id: str, expected: int) -> bool:
    """Read a payment with a signature; a refusal must say when to come again."""
    path = f"/v1/payments/{payment_id}"
    status, _, headers = await signed_call(stack, "GET", path)
    assert status in (200, 503)
    assert status == 200 or int(headers["Retry-After"]) > 0
    return status == expected


async def signed_create(stack: Stack) -> tuple[int, Any]:
    """Create a payment with a signature."""
    body = str(request()).replace("'", '"').encode()
    status, answer, _ = await signed_call(stack, "POST", "/v1/payments", body, key=str(uuid4()))
    return status, answer


async def signed_call(
    stack: Stack, verb: str, path: str, body: bytes = b"", key: str = ""
) -> tuple[int, Any, Any]:
    """Call the API as the demo client, with a signature that it need not show."""
    client = stack["client"]
    headers = signed(client["secret"], verb, path, body, key=key)
    headers |= {"Authorization": f"Bearer {client['api_key']}"}
    headers |= {"Content-Type": "application/json"} if body else {}
    async with aiohttp.ClientSession(stack["edge"]["url"]) as http:
        async with http.request(verb, path, data=body or None, headers=headers) as answer:
            return answer.status, await answer.json(), answer.headers


async def published(on: Troubled, payment_ids: list[str]) -> bool:
    """Tell whether the end of each payment is in the stream."""
    events = [fields for _, fields in await on.redis.xrange(STREAM)]
    ended = {one["object_id"] for one in events if one["type"] == "payment.completed"}
    return ended >= set(payment_ids)
