"""Pay-ins per second from POST to COMPLETED, through the real edge, at 1, 16, 64 and 256 in flight.

Closed loop: each of N callers posts, waits for its payment's final event on the event stream, and
posts again. Load generator, PSP sandbox, PostgreSQL and Redis share the machine with the mesh.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from redis.asyncio import Redis
from rich.console import Console
from rich.table import Table

from benchmarks.processor import own_s, used_s
from benchmarks.results import Measure
from devstack.rest import RestClient, specification_request
from devstack.stack import down, spawn
from devstack.state import State, reachable_folder

IN_FLIGHT = (1, 16, 64, 256)
_WARM_UP_S, _MEASURE_S = 3.0, 10.0
_STREAM = "events.payment"
_FINAL = {"payment.completed", "payment.failed"}
_SELLERS = 100


@dataclass(slots=True)
class Load:
    """What callers saw. Times in seconds."""

    answers: list[float] = field(default_factory=list)
    completions: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


class Finals:
    """Tells when a payment's final event came by."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._final: dict[str, asyncio.Future[str]] = {}

    def expect(self, payment_id: str) -> "asyncio.Future[str]":
        """Get the future of a payment's final event type."""
        if payment_id not in self._final:
            self._final[payment_id] = asyncio.get_running_loop().create_future()
        return self._final[payment_id]

    def forget(self, payment_id: str) -> None:
        """Drop what is known."""
        self._final.pop(payment_id, None)

    async def follow(self) -> None:
        """Follow the stream for ever."""
        last = "$"
        while True:
            answer = await self._redis.xread({_STREAM: last}, count=1000, block=1000)
            for _, events in answer:
                for last, event in events:  # noqa: B007 - the place to go on from
                    if event["type"] in _FINAL:
                        future = self.expect(event["object_id"])
                        if not future.done():
                            future.set_result(event["type"])


async def run() -> list[Measure]:
    """Measure on a fresh stack."""
    with reachable_folder("paymesh-bench-") as folder:
        state = State(folder)
        stack = await asyncio.to_thread(spawn, state, ports="auto", risk="open")
        try:
            return await _measure(stack, state)
        finally:
            await asyncio.to_thread(down, state)


@asynccontextmanager
async def connected(stack: Mapping[str, Any]) -> AsyncIterator[tuple[RestClient, Finals]]:
    """Connect to a running stack: its public API, and what becomes of payments."""
    async with (
        Redis.from_url(stack["redis"], decode_responses=True) as redis,
        RestClient(stack["edge"]["url"], stack["client"]["api_key"]) as rest,
    ):
        finals = Finals(redis)
        following = asyncio.create_task(finals.follow())
        yield rest, finals
        following.cancel()


async def _measure(stack: Mapping[str, Any], state: State) -> list[Measure]:
    table = Table("in flight", "payments/s", "answer p50", "p99", "completion p50", "p99", box=None)
    shares = Table("in flight", "CPU µs per payment, by process", box=None)
    measures: list[Measure] = []
    async with connected(stack) as (rest, finals):
        for count in IN_FLIGHT:
            load, elapsed, cpu = await under_load(count, rest, finals, state)
            measures += _figures(count, load, elapsed, cpu, table, shares)
    console = Console()
    console.print(table, "", shares)
    return measures


async def under_load(
    count: int, rest: RestClient, finals: Finals, state: State
) -> tuple[Load, float, dict[str, float]]:
    """Run `count` callers; measure after the warm-up."""
    load, stop = Load(), asyncio.Event()
    callers = [asyncio.create_task(_caller(rest, finals, load, stop)) for _ in range(count)]
    await asyncio.sleep(_WARM_UP_S)
    load.answers.clear()
    load.completions.clear()
    before, own, began = used_s(state.folder), own_s(), time.perf_counter()
    await asyncio.sleep(_MEASURE_S)
    elapsed = time.perf_counter() - began
    cpu = {name: used - before[name] for name, used in used_s(state.folder).items()}
    cpu["load generator"] = own_s() - own
    measured = Load(list(load.answers), list(load.completions), load.wrong)
    stop.set()
    await asyncio.gather(*callers)
    return measured, elapsed, cpu


async def _caller(rest: RestClient, finals: Finals, load: Load, stop: asyncio.Event) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        request = specification_request(str(uuid4()))
        request["payment_orders"][0]["seller_account"] = f"seller_{number % _SELLERS}"
        began = time.perf_counter()
        created = await rest.create(request)
        load.answers.append(time.perf_counter() - began)
        if created.status != 200:
            load.wrong.append(str(created.body))
            continue
        payment_id = created.body["payment_id"]
        async with asyncio.timeout(30):
            kind = await finals.expect(payment_id)
        load.completions.append(time.perf_counter() - began)
        if kind != "payment.completed":
            load.wrong.append(f"{payment_id}: {kind}")
        finals.forget(payment_id)


def _figures(
    count: int,
    load: Load,
    elapsed: float,
    cpu: Mapping[str, float],
    table: Table,
    shares: Table,
) -> list[Measure]:
    done = len(load.completions)
    rate = done / elapsed
    answer, completion = sorted(load.answers), sorted(load.completions)
    figures = [_ms(answer, 0.5), _ms(answer, 0.99), _ms(completion, 0.5), _ms(completion, 0.99)]
    table.add_row(str(count), f"{rate:.0f}", *(f"{figure:.1f} ms" for figure in figures))
    told = sorted(cpu.items(), key=lambda item: -item[1])
    shares.add_row(
        str(count), ", ".join(f"{name} {used / max(done, 1) * 1e6:.0f}" for name, used in told)
    )
    if load.wrong:
        raise RuntimeError(f"{len(load.wrong)} payments went wrong: {load.wrong[:3]}")
    names = ("answer_p50", "answer_p99", "p50", "p99")
    return [
        Measure(f"pay_in_per_s_{count}", round(rate, 1), "1/s", done),
        *(
            Measure(f"pay_in_{name}_ms_{count}", round(value, 2), "ms", done)
            for name, value in zip(names, figures, strict=True)
        ),
        *(
            Measure(f"pay_in_cpu_us_{name}_{count}", round(used / max(done, 1) * 1e6), "us", done)
            for name, used in told
        ),
    ]


def _ms(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000 if ordered else 0.0
