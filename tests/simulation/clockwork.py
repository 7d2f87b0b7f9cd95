"""An asyncio event loop whose time is simulated, and whose tasks belong to processes.

A process is told by a context variable, which tasks and callbacks inherit. What belongs to a killed
process is never run again, wherever it was; what belongs to a paused one is run when it goes on.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import Any

EPOCH = datetime(2026, 1, 15, 10, 0, tzinfo=UTC)

_serial = count()
_TASKS_KEPT = 500


class Process:
    """One run of a program: its memory ends with it.

    Attributes:
        paused_until: by the loop's time, when a stopped process goes on.
        skew: how much its clock is ahead of the true time.
    """

    def __init__(self, loop: "SimulatedLoop", name: str, skew: timedelta = timedelta(0)) -> None:
        self.name = name
        self.skew = skew
        self.is_alive = True
        self.paused_until = 0.0
        self._loop = loop
        self._context = copy_context()
        self._context.run(_PROCESS.set, self)

    def clock(self) -> datetime:
        """Tell the time as this process has it."""
        return self._loop.now() + self.skew

    def spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Start a task of this process."""
        return self._loop.create_task(work, context=self._context.copy())

    def kill(self) -> None:
        """End it, at whatever await it is."""
        self.is_alive = False


_PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


class SimulatedTask(asyncio.Task[Any]):
    """A task that hashes by the order of making: sets of tasks have the same order in each run."""

    __slots__ = ("place",)
    place: int

    def __hash__(self) -> int:
        return self.place


class Call(list[Any]):
    """A callback to be run, as asyncio's handles are; a third of their cost. Without a context it
    belongs to no process.

    It is its own entry in the heap: when, in which order, what, with what, where.
    """

    __slots__ = ()

    def cancel(self) -> None:
        """See `asyncio.Handle`."""
        self[_CALLBACK] = None

    def cancelled(self) -> bool:
        """See `asyncio.Handle`."""
        return self[_CALLBACK] is None

    def when(self) -> float:
        """See `asyncio.TimerHandle`."""
        at: float = self[0]
        return at


_CALLBACK = 2


class SimulatedLoop(asyncio.AbstractEventLoop):
    """Runs what is ready, then jumps to the next moment at which something is due."""

    # Every future asks; `bool()` is False, at a third of the price of a method.
    get_debug = bool  # type: ignore[assignment]

    def __init__(self) -> None:
        self._time = 0.0
        self._ready: deque[tuple[Any, Any, Context]] = deque()
        self._timers: list[Call] = []
        self._order = count()
        self._tasks: list[asyncio.Task[Any]] = []  # held: collecting one would run its end
        self._tasks_most = _TASKS_KEPT
        self._told_at, self._told = 0.0, EPOCH

    def now(self) -> datetime:
        """Tell the true time."""
        if self._told_at != self._time:
            self._told_at, self._told = self._time, EPOCH + timedelta(0, self._time)
        return self._told

    def later(self, delay: float, callback: Callable[..., Any], *args: Any) -> Call:
        """Call something that belongs to no process, and happens whatever becomes of them."""
        call = Call((self._time + delay, next(self._order), callback, args, None))
        heappush(self._timers, call)
        return call

    def at(self, when: float, callback: Callable[..., Any], *args: Any) -> Call:
        """Call something that belongs to no process at a time."""
        call = Call((when, next(self._order), callback, args, None))
        heappush(self._timers, call)
        return call

    def run_until(self, end: float) -> None:
        """Run everything that happens before a time."""
        timers = self._timers
        asyncio.events._set_running_loop(self)
        try:
            self._run_ready()
            while timers and timers[0][0] <= end:
                when, _, callback, args, context = heappop(timers)
                if callback is None:
                    continue  # cancelled
                if when > self._time:
                    self._time = when
                if context is None:
                    callback(*args)
                else:
                    self._ready.append((callback, args, context))
                self._run_ready()
            self._time = max(self._time, end)
        finally:
            asyncio.events._set_running_loop(None)

    def close(self) -> None:
        """Drop what is unfinished."""
        self._ready.clear()
        self._timers.clear()
        asyncio.events._set_running_loop(self)
        for task in self._tasks:
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                with suppress(RuntimeError):  # one that would wait even now
                    task.get_coro().close()  # type: ignore[union-attr]
        asyncio.events._set_running_loop(None)
        self._tasks.clear()

    def _run_ready(self) -> None:
        """Run what is to be run at once, unless its process is dead or paused."""
        ready = self._ready
        while ready:
            callback, args, context = ready.popleft()
            process = context.get(_PROCESS)
            if process is not None:
                if not process.is_alive:
                    continue
                if process.paused_until > self._time:
                    self.call_at(process.paused_until, callback, *args, context=context)
                    continue
            context.run(callback, *args)

    def time(self) -> float:
        """See `asyncio.AbstractEventLoop`; in seconds since the beginning."""
        return self._time

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> None:
        """See `asyncio.AbstractEventLoop`; nobody here ever cancels what is to be run at once."""
        self._ready.append((callback, args, copy_context() if context is None else context))

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Call:
        """See `asyncio.AbstractEventLoop`."""
        return self.call_at(self._time + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Call:
        """See `asyncio.AbstractEventLoop`."""
        context = copy_context() if context is None else context
        call = Call((when, next(self._order), callback, args, context))
        heappush(self._timers, call)
        return call

    def create_future(self) -> "asyncio.Future[Any]":
        """See `asyncio.AbstractEventLoop`."""
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Coroutine[Any, Any, Any],  # type: ignore[override]
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> "asyncio.Task[Any]":
        """See `asyncio.AbstractEventLoop`."""
        task = SimulatedTask.__new__(SimulatedTask)
        task.place = next(_serial)
        task.__init__(coro, loop=self, name=name or "task", context=context)
        self._tasks.append(task)
        if len(self._tasks) > self._tasks_most:
            self._tasks = [one for one in self._tasks if not one.done()]
            self._tasks_most = len(self._tasks) + _TASKS_KEPT
        return task

    def is_running(self) -> bool:
        """See `asyncio.AbstractEventLoop`."""
        return True

    def is_closed(self) -> bool:
        """See `asyncio.AbstractEventLoop`."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """See `asyncio.AbstractEventLoop`: what a task raised and nobody asked for is no matter."""
