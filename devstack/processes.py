"""Child processes that never outlive their supervisor, known by pid and start time."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_KILL_AFTER_S = 15.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to start a process.

    Attributes:
        stop_signal: ends it in order.
        orphan_signal: sent by the kernel when its supervisor dies.
        user: uid and gid to run as; None: our own.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: int = signal.SIGTERM
    orphan_signal: int = signal.SIGKILL
    user: tuple[int, int] | None = None
    folder: str = "/"


@dataclass(slots=True)
class Child:
    """A process that was started, and its recipe."""

    recipe: Recipe
    process: asyncio.subprocess.Process
    started: str

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self.process.returncode is None

    async def stop(self) -> None:
        """End it in order; after 15 seconds by force."""
        if not self.is_alive:
            return
        os.killpg(self.pid, self.recipe.stop_signal)
        try:
            async with asyncio.timeout(_KILL_AFTER_S):
                await self.process.wait()
        except TimeoutError:
            os.killpg(self.pid, signal.SIGKILL)
            await self.process.wait()


async def start(recipe: Recipe, log: Path) -> Child:
    """Start a process in its own group; what it prints goes to the end of `log`."""
    uid, gid = recipe.user or (None, None)
    who: dict[str, Any] = {} if uid is None else {"user": uid, "group": gid, "extra_groups": []}
    with log.open("ab") as stream:
        process = await asyncio.create_subprocess_exec(
            *recipe.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env={**_inherited(), **recipe.environment},
            cwd=recipe.folder,
            start_new_session=True,
            preexec_fn=_dies_with_parent(recipe.orphan_signal),
            **who,
        )
    return Child(recipe, process, start_time(process.pid) or "")


def _inherited() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "LISTEN")}


def _dies_with_parent(number: int) -> Callable[[], None] | None:
    """Have the kernel send a signal when the supervisor ends, however it ends. Linux only."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def arm() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return arm


def start_time(pid: int) -> str | None:
    """Tell when a process was started, in ticks since boot: with the pid it names it for ever."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()[19]


def end_leftovers(noted: Mapping[str, Sequence[object]]) -> list[str]:
    """Kill what a former supervisor noted as (pid, start time) and what still runs; name it."""
    ended = []
    for name, (pid, started) in noted.items():
        if isinstance(pid, int) and started and start_time(pid) == started:
            os.kill(pid, signal.SIGKILL)
            ended.append(name)
    return ended
