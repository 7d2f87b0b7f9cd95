"""The load generator: callers in a closed loop, or arrivals at a pace that nobody can slow down."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from random import Random
from typing import Any

import grpc

from benchmarks.scenarios import Scenario
from benchmarks.tally import Tally
from benchmarks.workload import STAMP_PLACE, Asking, Workload

Call = Callable[[bytes], Awaitable[Any]]  # raises Unanswered

_CHANNELS = 4
_CALL_S = 30.0
_READY = {1: 10_000, 100: 200, 1000: 40}  # requests made ahead, by their size
_MESSAGE_BYTES_MAX = 16 * 1024 * 1024
_stamps = itertools.count()


def open_channels(target: str) -> list[grpc.aio.Channel]:
    """Open channels with a connection each."""
    options = [
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_http_proxy", 0),
        ("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX),
        ("grpc.max_send_message_length", _MESSAGE_BYTES_MAX),
    ]
    return [grpc.aio.insecure_channel(target, options=options) for _ in range(_CHANNELS)]


class Unanswered(Exception):
    """A request had no answer; the text is the reason, a word."""


def over_grpc(workload: Workload, channels: Sequence[grpc.aio.Channel]) -> list[Call]:
    """Make a call of the workload's method on each channel."""
    return [
        _call(channel.unary_unary(workload.method, response_deserializer=workload.response))
        for channel in channels
    ]


def _call(method: Callable[..., Awaitable[Any]]) -> Call:
    async def call(request: bytes) -> Any:
        try:
            return await method(request, timeout=_CALL_S)
        except grpc.aio.AioRpcError as error:
            raise Unanswered(error.code().name) from error

    return call


class Requests:
    """Requests that were made ahead, in turn for ever, each with references of its own."""

    def __init__(self, asking: Asking, scenario: Scenario) -> None:
        choose = Random(f"{scenario.shape}{scenario.batch}")
        began = time.perf_counter()
        ready = _READY[scenario.batch]
        self._ready: Iterator[bytes] = itertools.cycle(
            [asking.request(scenario.shape, scenario.batch, choose) for _ in range(ready)]
        )
        self.making_us = (time.perf_counter() - began) / (ready * scenario.batch) * 1e6

    def take(self) -> bytes:
        """Take the next."""
        return next(self._ready).replace(STAMP_PLACE.encode(), b"%08x" % next(_stamps))


class Load:
    """Sends requests and counts what comes of them.

    Attributes:
        total: everything since the start, the warm-up and what came after the end too.
        window: what is measured; whoever measures puts a new one in its place.
    """

    def __init__(self, asking: Asking, scenario: Scenario, calls: Sequence[Call]) -> None:
        self._scenario = scenario
        self._judge = asking.judge
        self._requests = Requests(asking, scenario)
        self._calls = calls
        self._stop = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self.total, self.window = Tally(), Tally()

    @property
    def making_us(self) -> float:
        """What making a transaction's part of a request cost, ahead of the load."""
        return self._requests.making_us

    def start(self) -> None:
        """Begin."""
        if self._scenario.per_s:
            self._begin(self._arrive())
            return
        for number in range(self._scenario.in_flight):
            self._begin(self._call_again(self._calls[number % len(self._calls)]))

    async def stop(self) -> None:
        """Send nothing more, and wait for every answer."""
        self._stop.set()
        while self._running:
            await asyncio.gather(*self._running)

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _call_again(self, call: Call) -> None:
        while not self._stop.is_set():
            await self._once(call, time.perf_counter(), None)

    async def _arrive(self) -> None:
        """Send at fixed times. A time is counted from when a request should have been sent: one
        that had to wait for the generator waited too.
        """
        began, calls = time.perf_counter(), itertools.cycle(self._calls)
        for number in itertools.count():
            due = began + number / self._scenario.per_s
            await _until(due)
            if self._stop.is_set():
                return
            self._begin(self._once(next(calls), due, self.window))
            if number % 16 == 0:
                await asyncio.sleep(0)  # behind its time, it must still let answers in

    async def _once(self, call: Call, began: float, window: Tally | None) -> None:
        """Ask once. In a closed loop an answer counts where it arrives, in an open one where it was
        asked for.
        """
        try:
            response = await call(self._requests.take())
        except Unanswered as error:
            took = time.perf_counter() - began
            for tally in (self.total, self.window if window is None else window):
                tally.lost(took, str(error), self._scenario.batch)
            return
        took = time.perf_counter() - began
        answer = self._judge(response)
        for tally in (self.total, self.window if window is None else window):
            tally.answered(took, answer.written, answer.refusals)


async def _until(due: float) -> None:
    early = due - time.perf_counter()
    if early > 0:
        await asyncio.sleep(early)
