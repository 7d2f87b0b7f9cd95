"""Single postings at a steady pace, while nothing else is asked for, and while much is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass

import grpc
import psutil
from paymesh.ledger.v1 import ledger_service_pb2 as ledger

from benchmarks.ledger import LedgerStub, LedgerWorkload
from benchmarks.load import Load, open_channels, over_grpc
from benchmarks.scenarios import Scenario, Shape
from benchmarks.tally import Tally, quantile_ms

PER_S = 250
_WARM_UP_S = 2.0
_PROOF_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Pace:
    """What callers saw.

    Attributes:
        beside_per_s: transactions that were proved, or entries that were exported, meanwhile.
        memory_mb: the service's, at its highest.
    """

    p50_ms: float
    p99_ms: float
    longest_ms: float
    errors: int
    beside_per_s: float
    memory_mb: float


Beside = Callable[[grpc.aio.Channel], AsyncIterator[int]]


async def paces(target: str, pid: int) -> dict[str, Pace]:
    """Post with nothing beside, while the whole ledger is verified, and while it is exported, each
    for so many seconds at most.
    """
    channels, workload, found = open_channels(target), LedgerWorkload(), dict[str, Pace]()
    try:
        await workload.open(channels[0])
        calls = over_grpc(workload, channels)
        load = Load(workload, Scenario(Shape.UNIFORM, per_s=PER_S), calls)
        load.start()
        await asyncio.sleep(_WARM_UP_S)
        for name, (seconds, beside) in _BESIDE.items():
            found[name] = await _look(load, beside(channels[1]), seconds, pid)
        await load.stop()
    finally:
        for channel in channels:
            await channel.close()
    return found


async def _look(load: Load, beside: AsyncIterator[int], seconds: float, pid: int) -> Pace:
    loop, highest = asyncio.get_running_loop(), [0.0]
    watch = asyncio.create_task(_watch(pid, highest))
    load.window, began, done = Tally(), loop.time(), 0
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            async for so_far in beside:
                done = so_far
    took = loop.time() - began
    watch.cancel()
    ordered = sorted(load.window.times_s)
    p50, p99, longest = (quantile_ms(ordered, share) for share in (0.5, 0.99, 1.0))
    return Pace(p50, p99, longest, load.window.errors.total(), done / took, highest[0])


async def _nothing(_: grpc.aio.Channel) -> AsyncIterator[int]:
    await asyncio.sleep(_PROOF_S)
    yield 0


async def _verification(channel: grpc.aio.Channel) -> AsyncIterator[int]:
    request = ledger.VerifyLedgerRequest()
    async for told in LedgerStub(channel).VerifyLedger(request, timeout=_PROOF_S):
        if told.HasField("offence"):
            raise RuntimeError(f"{told.offence.subject}: {told.offence.message}")
        if told.HasField("progress"):
            yield told.progress.done


async def _export(channel: grpc.aio.Channel) -> AsyncIterator[int]:
    count, request = 0, ledger.ExportEntriesRequest()
    async for told in LedgerStub(channel).ExportEntries(request, timeout=_PROOF_S):
        count += len(told.entries)
        yield count


_BESIDE: dict[str, tuple[float, Beside]] = {
    "nothing beside": (8.0, _nothing),
    "while VerifyLedger runs": (25.0, _verification),
    "while ExportEntries runs": (10.0, _export),
}


async def _watch(pid: int, highest: list[float]) -> None:
    process = psutil.Process(pid)
    while True:
        highest[0] = max(highest[0], process.memory_info().rss / 2**20)
        await asyncio.sleep(0.1)
