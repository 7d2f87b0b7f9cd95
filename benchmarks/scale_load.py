"""Single postings at a steady pace, while the books are proved, and while they are not."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

import grpc
import psutil
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub

from benchmarks.ledger import LedgerWorkload
from benchmarks.load import Load, open_channels
from benchmarks.scenarios import Scenario, Shape
from benchmarks.tally import Tally, quantile_ms

PER_S = 250
_WARM_UP_S = 2.0
_CALM_S = 10.0
_WATCHED_S = 60.0
_PROOF_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Pace:
    """What callers saw.

    Attributes:
        proved_per_s: transactions that were proved meanwhile, per second.
        memory_mb: the service's, at its highest while they were.
    """

    p50_ms: float
    p99_ms: float
    longest_ms: float
    errors: int
    proved_per_s: float = 0.0
    memory_mb: float = 0.0


async def post_and_prove(target: str, pid: int) -> tuple[Pace, Pace]:
    """Post for ten seconds with nothing beside, then while the whole ledger is verified, for a
    minute at most.
    """
    channels = open_channels(target)
    workload = LedgerWorkload()
    try:
        await workload.open(channels[0])
        load = Load(workload, Scenario(Shape.UNIFORM, per_s=PER_S), channels)
        load.start()
        await asyncio.sleep(_WARM_UP_S)
        load.window = Tally()
        await asyncio.sleep(_CALM_S)
        calm, load.window = load.window, Tally()
        rate, memory_mb = await _prove(channels[1], pid)
        watched, load.window = load.window, Tally()
        await load.stop()
    finally:
        for channel in channels:
            await channel.close()
    return _pace(calm), _pace(watched, rate, memory_mb)


async def _prove(channel: grpc.aio.Channel, pid: int) -> tuple[float, float]:
    """Verify; tell how many transactions a second, and the service's memory at its highest."""
    loop, highest = asyncio.get_running_loop(), [0.0]
    watch = asyncio.create_task(_watch(pid, highest))
    began, done, ended = loop.time(), 0, loop.time()
    call = LedgerServiceStub(channel).VerifyLedger(ledger.VerifyLedgerRequest(), timeout=_PROOF_S)
    with suppress(TimeoutError):
        async with asyncio.timeout(_WATCHED_S):
            async for told in call:
                if told.HasField("offence"):
                    raise RuntimeError(f"{told.offence.subject}: {told.offence.message}")
                if told.HasField("progress"):
                    done, ended = told.progress.done, loop.time()
    call.cancel()
    watch.cancel()
    return done / (ended - began), highest[0]


async def _watch(pid: int, highest: list[float]) -> None:
    process = psutil.Process(pid)
    while True:
        highest[0] = max(highest[0], process.memory_info().rss / 2**20)
        await asyncio.sleep(0.1)


def _pace(tally: Tally, proved_per_s: float = 0.0, memory_mb: float = 0.0) -> Pace:
    ordered = sorted(tally.times_s)
    p50, p99, longest = (quantile_ms(ordered, share) for share in (0.5, 0.99, 1.0))
    return Pace(p50, p99, longest, tally.errors.total(), proved_per_s, memory_mb)
