"""Child processes that never outlive their supervisor, known by pid and start time."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_KILL_AFTER_S = 15.0
_LEFTOVERS_KILL_AFTER_S = 3.0


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


@dataclass(frozen=True, slots=True)
class Child:
    """A process that was started, and its recipe."""

    recipe: Recipe
    process: asyncio.subprocess.Process
    started: str

    @property
    def pid(self) -> int:
        """Its process id, and that of its group."""
        return self.process.pid

    async def stop(self) -> None:
        """End it in order, after 15 seconds by force, and with it what is left of its group."""
        self._signal(self.recipe.stop_signal)
        with suppress(TimeoutError):
            async with asyncio.timeout(_KILL_AFTER_S):
                await self.process.wait()
        self._signal(signal.SIGKILL)
        await self.process.wait()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


async def start(recipe: Recipe, log: Path) -> Child:
    """Start a process in a session of its own; what it prints goes to the end of `log`.

    To be called from the main thread: the kernel tells a child of the death of the thread that
    started it.
    """
    uid, gid = recipe.user or (None, None)
    who: dict[str, Any] = {} if uid is None else {"user": uid, "group": gid, "extra_groups": []}
    with log.open("ab") as stream:
        process = await asyncio.create_subprocess_exec(
            *recipe.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env={**_inherited(), **recipe.environment},
            cwd="/",
            start_new_session=True,
            preexec_fn=dies_with_parent(recipe.orphan_signal),
            **who,
        )
    return Child(recipe, process, start_time(process.pid) or "")


def _inherited() -> dict[str, str]:
    """Keep the user's environment, but for what would bend the stack's own addresses."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "LISTEN") and not name.startswith("PG")
    }
    return {**kept, "no_grpc_proxy": "127.0.0.1"}


def dies_with_parent(number: int) -> Callable[[], None] | None:
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
    """Tell when a process was started: with the pid it names a process for ever, over reboots too.

    None: there is no such process, or it has ended and waits to be collected.
    """
    if not sys.platform.startswith("linux"):
        told = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return told.stdout.strip() or None
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else f"{_boot_id()}:{fields[19]}"


@cache
def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def end_leftovers(noted: Mapping[str, Sequence[Any]]) -> list[str]:
    """End what a former supervisor noted as (pid, start time) and what still runs; name it.

    Nothing is ever ended by its name, and no process that only has the pid of a former one.
    """
    left = {name: (int(pid), str(started)) for name, (pid, started) in noted.items()}
    names = [name for name, process in left.items() if _runs(process)]
    for number, patience_s in ((signal.SIGTERM, _LEFTOVERS_KILL_AFTER_S), (signal.SIGKILL, 1.0)):
        for process in filter(_runs, left.values()):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process[0], number)
        deadline = time.monotonic() + patience_s
        while any(map(_runs, left.values())) and time.monotonic() < deadline:
            time.sleep(0.02)
    return names


def _runs(process: tuple[int, str]) -> bool:
    pid, started = process
    return bool(started) and start_time(pid) == started
