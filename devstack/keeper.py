"""Keeps processes running: starts each behind its gate, restarts what crashes, ends all."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from devstack.processes import Child, Recipe, start
from devstack.state import StackError, State, write_private

_READY_TIMEOUT_S = 60.0
_RESTART_PAUSES_S = (0.05, 0.05, 0.2, 1.0, 3.0)
_STEADY_S = 3.0
_ASK_AGAIN_S = 1.0

Tell = Callable[[str], None]
Gate = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Kept:
    """A process that is kept running."""

    child: Child
    gate: Gate
    restarts: int = 0
    healthy: bool = False  # its gate has opened since it was last started


class Keeper:
    """The processes of one stack.

    Args:
        tell: is given each line that a person should see.
        changed: is called whenever a process was restarted or its health has changed.
    """

    def __init__(self, state: State, tell: Tell, changed: Callable[[], None]) -> None:
        self._state = state
        self._tell = tell
        self._changed = changed
        self._watchers: list[asyncio.Task[None]] = []
        self.kept: dict[str, Kept] = {}

    async def begin(self, recipe: Recipe, gate: Gate) -> None:
        """Start a process, wait until its gate opens, and keep it running from then on.

        Raises:
            StackError: it ended, or was not ready in 60 s; the message has its last lines.
        """
        began = time.monotonic()
        self._tell(f"… {recipe.name}")
        kept = Kept(await self._spawn(recipe), gate)
        self.kept[recipe.name] = kept
        self._note()
        if not await self._is_ready(kept):
            status = kept.child.process.returncode
            how = "is not ready" if status is None else f"ended with {status}"
            raise StackError(f"{recipe.name} {how}: {self._state.last_lines(recipe.name, 5)}")
        kept.healthy = True
        self._watchers.append(asyncio.create_task(self._watch(recipe.name, kept)))
        self._tell(done(recipe.name, began))

    async def end(self, names: Sequence[str]) -> None:
        """End those of the processes that were started, all at once, and keep them no more."""
        await asyncio.gather(*(self.kept[name].child.stop() for name in names if name in self.kept))

    def let_go(self) -> None:
        """Restart nothing from now on."""
        for watcher in self._watchers:
            watcher.cancel()

    async def _is_ready(self, kept: Kept) -> bool:
        """Wait for the gate, but no longer than the process lives."""
        ended = asyncio.ensure_future(kept.child.process.wait())
        ready = asyncio.ensure_future(kept.gate())
        try:
            await asyncio.wait(
                [ended, ready], timeout=_READY_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
            )
            return ready.done() and ready.result() is None and not ended.done()
        finally:
            ended.cancel()
            ready.cancel()
            await asyncio.gather(ended, ready, return_exceptions=True)

    async def _until_healthy(self, name: str, kept: Kept) -> None:
        """Wait for the gate as long as the process lives; a gate that fails is asked again."""
        while kept.child.process.returncode is None:
            try:
                kept.healthy = await self._is_ready(kept)
            except Exception as error:  # noqa: BLE001 - who keeps others must outlive any failure
                self._tell(f"! whether {name} is ready cannot be told: {error!r}")
                await asyncio.sleep(_ASK_AGAIN_S)
            if kept.healthy:
                self._changed()
                return

    async def _watch(self, name: str, kept: Kept) -> None:
        """Restart a process whenever it ends, more slowly each time until it is steady."""
        crashes = 0
        while True:
            since = time.monotonic()
            if not kept.healthy:
                await self._until_healthy(name, kept)
            status = await kept.child.process.wait()
            kept.healthy = False
            crashes = 0 if time.monotonic() - since > _STEADY_S else crashes
            pause_s = _RESTART_PAUSES_S[min(crashes, len(_RESTART_PAUSES_S) - 1)]
            crashes += 1
            self._tell(f"! {name} ended with {status}; restarting it in {pause_s} s")
            self._changed()
            await asyncio.sleep(pause_s)
            await self._restart(name, kept)

    async def _restart(self, name: str, kept: Kept) -> None:
        recipe = kept.child.recipe
        # A fault that a test planned strikes once, or every restart would die of it again.
        faults = {"FAULT_POINTS": self._state.take_fault(name)}
        recipe = replace(recipe, environment={**recipe.environment, **faults})
        with suppress(OSError):  # no process or memory left: the next turn tries again
            kept.child = await self._spawn(recipe)
        kept.restarts += 1
        self._note()
        self._changed()

    async def _spawn(self, recipe: Recipe) -> Child:
        return await start(recipe, self._state.log(recipe.name))

    def _note(self) -> None:
        """Write down who runs, for whoever has to end it should we not."""
        noted = {name: [kept.child.pid, kept.child.started] for name, kept in self.kept.items()}
        write_private(self._state.children_file, noted)


def done(name: str, began: float) -> str:
    """Write the line of something that is ready, with how long it took."""
    return f"✓ {name:<30} {time.monotonic() - began:5.1f} s"


async def together(*works: Coroutine[Any, Any, None]) -> None:
    """Run all at once; the first that fails ends the others and is what is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
