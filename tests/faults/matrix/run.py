"""Runs cases on lanes side by side, over one PostgreSQL and one Redis."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from devstack.state import reachable_folder
from tests.faults.matrix.audit import audit
from tests.faults.matrix.catalogue import Case
from tests.faults.matrix.lane import running
from tests.faults.matrix.play import Played, play
from tests.faults.matrix.processes import Nursery, nurseries
from tests.faults.matrix.settings import NAMES, Place, claim_ports
from tests.faults.matrix.tellings import listening
from tests.servers import PostgresServer, RedisServer

LANES = 6
_REDIS_DATABASES = 16

Tell = Callable[[Played], None]


async def run(cases: Sequence[Case], *, lanes: int, folder: Path, tell: Tell) -> list[Played]:
    """Play all cases; `tell` hears of each. Answers in the order of the cases."""
    count = min(lanes, len(cases), _REDIS_DATABASES)
    left = list(reversed(list(enumerate(cases))))
    played: dict[int, Played] = {}
    one_by_one = asyncio.Lock()

    async def work(place: Place, forks: Mapping[str, Nursery]) -> None:
        async with AsyncExitStack() as stack:
            async with one_by_one:  # starting all at once would starve each
                tellings = await stack.enter_async_context(listening())
                lane = await stack.enter_async_context(running(place, forks, tellings))
            own = []
            while left:
                number, case = left.pop()
                played[number] = await play(lane, case)
                own.append(number)
                tell(played[number])
            for number, problem in await audit(lane, [(n, played[n]) for n in own]):
                problems = (*played[number].problems, problem)
                played[number] = replace(played[number], problems=problems)

    async with _places(count, folder) as (places, forks):
        await asyncio.gather(*(work(place, forks) for place in places))
    return [played[number] for number in range(len(cases))]


@asynccontextmanager
async def _places(
    count: int, folder: Path
) -> AsyncIterator[tuple[Sequence[Place], Mapping[str, Nursery]]]:
    async with AsyncExitStack() as stack:
        forks, postgres, redis = await asyncio.gather(
            stack.enter_async_context(nurseries(folder / "nurseries.log")),
            asyncio.to_thread(PostgresServer.start, folder),
            asyncio.to_thread(RedisServer.start, folder),
        )
        stack.enter_context(postgres)
        stack.enter_context(redis)
        taken: set[int] = set()
        yield (
            [
                await asyncio.to_thread(_place, number, folder, postgres, redis.url, taken)
                for number in range(count)
            ],
            forks,
        )


def _place(
    number: int, folder: Path, postgres: PostgresServer, redis_url: str, taken: set[int]
) -> Place:
    own = folder / f"lane-{number}"
    own.mkdir()
    databases = {service: postgres.fresh_database(service) for service in NAMES}
    url = f"{redis_url.rpartition('/')[0]}/{number}"
    return Place(own, claim_ports(taken), databases, url)


def matrix(cases: Sequence[Case], *, lanes: int, tell: Tell) -> tuple[list[Played], float]:
    """Play all cases in a folder of their own; tell also how long it took, in seconds."""
    began = time.monotonic()
    with reachable_folder("paymesh-matrix-") as folder:
        played = asyncio.run(run(cases, lanes=lanes, folder=folder, tell=tell))
    return played, time.monotonic() - began
