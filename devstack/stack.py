"""Stacks for programs: start one in the background, look at it, kill parts of it, end it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from devstack.processes import end_leftovers, start_time
from devstack.state import StackError, State

_START_TIMEOUT_S = 90.0
_STOP_TIMEOUT_S = 60.0
_PAUSE_S = 0.03
# Supervisors that this process started: it must reap them when they have ended.
_STARTED: dict[int, "subprocess.Popen[bytes]"] = {}


class Stack(dict[str, Any]):
    """A running stack: its stack.json as of the start, and what can be done to it."""

    def __init__(self, state: State, described: dict[str, Any]) -> None:
        super().__init__(described)
        self.state = state

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to a service, or to postgres, redis, sandbox or edge; tell its pid."""
        return kill(self.state, name, number)

    def wait_healthy(self, name: str, *, not_pid: int, timeout_s: float = 60.0) -> None:
        """Wait until what was killed runs under another pid and is ready."""
        until_healthy(self.state, name, not_pid=not_pid, timeout_s=timeout_s)


def spawn(
    state: State,
    *,
    ports: str,
    risk: str,
    environment: str = "development",
    database_port: int = 0,
    mesh: bool = False,
    tls: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Start a stack in the background and wait until it is ready; answer its stack.json.

    `ports` is "" for the documented ones, or "auto"; `risk` "spec" or "open"; `environment`
    "development" or "production"; `database_port` is where services reach PostgreSQL when something
    stands between; `mesh`: with sidecars and mTLS; `tls`: the edge speaks TLS, too; `tell` is given
    the lines of progress.

    Raises:
        StackError: it did not start; the message holds the last lines of what failed.
    """
    state.prepare()
    command = [sys.executable, "-m", "devstack.supervisor", "--state", str(state.folder)]
    command += ["--ports", ports, "--risk", risk, "--environment", environment]
    command += ["--database-port", str(database_port), *(["--mesh"] if mesh else [])]
    command += ["--tls"] if tls else []
    with state.log("supervisor").open("ab") as stream:
        lines = _Lines(state.log("supervisor"))
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True
        )
    for pid in [pid for pid, known in _STARTED.items() if known.poll() is not None]:
        del _STARTED[pid]
    _STARTED[process.pid] = process
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        ended = process.poll() is not None
        lines.read(tell)
        described = state.stack()
        if described is not None and described["supervisor"]["pid"] == process.pid:
            return described
        if ended:
            raise StackError(lines.failure())
        time.sleep(_PAUSE_S)
    process.terminate()
    raise StackError(f"not ready in {_START_TIMEOUT_S:.0f} s: {lines.failure()}")


class _Lines:
    """Follows a log from its present end."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._place = log.stat().st_size
        self._seen: list[str] = []

    def read(self, tell: Callable[[str], None]) -> None:
        """Pass on the whole lines that have come, but for the error that ends it all."""
        with self._log.open("rb") as stream:
            stream.seek(self._place)
            fresh, newline, _ = stream.read().rpartition(b"\n")
        self._place += len(fresh) + len(newline)
        for line in fresh.decode(errors="replace").splitlines() if newline else []:
            if not any(seen.startswith("error: ") for seen in [*self._seen, line]):
                tell(line)
            self._seen.append(line)

    def failure(self) -> str:
        """Tell why it failed: the error with all its lines, or the last lines."""
        for place, line in enumerate(self._seen):
            if line.startswith("error: "):
                return "\n".join(self._seen[place:]).removeprefix("error: ")
        return "\n".join(self._seen[-5:]) or "the supervisor ended without a word"


def is_running(state: State) -> bool:
    """Tell whether a supervisor runs this state, be it still starting or stopping."""
    supervisor = state.supervisor()
    return supervisor is not None and _is_there(*supervisor)


def status(state: State) -> dict[str, Any] | None:
    """Describe a running stack with the health of its services as of now; None: none is ready."""
    described = state.stack()
    if described is None or not is_running(state):
        return None
    from devstack.health import is_serving

    entries = described["services"]

    async def ask() -> list[bool]:
        return await asyncio.gather(*(is_serving(described, name) for name in entries))

    for entry, healthy in zip(entries.values(), asyncio.run(ask()), strict=True):
        entry["healthy"] = healthy
    return described


def down(state: State) -> bool:
    """End a stack and wait until it is gone, also what a dead supervisor left behind.

    Answers whether there was anything to end. A supervisor that does not end in 60 s is killed.
    """
    supervisor = state.supervisor()
    was_running = is_running(state)
    if supervisor is not None and was_running:
        os.kill(supervisor[0], signal.SIGTERM)
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        while _is_there(*supervisor) and time.monotonic() < deadline:
            time.sleep(_PAUSE_S)
        if _is_there(*supervisor):
            os.kill(supervisor[0], signal.SIGKILL)
    left = end_leftovers(state.children())
    state.children_file.unlink(missing_ok=True)
    state.stack_file.unlink(missing_ok=True)
    return was_running or bool(left)


def _is_there(pid: int, started: str) -> bool:
    """Tell whether a supervisor still runs; our own is reaped once it has ended."""
    if pid in _STARTED and _STARTED[pid].poll() is not None:
        del _STARTED[pid]
    return start_time(pid) == started


@contextmanager
def running_stack(
    folder: Path,
    *,
    ports: str = "auto",
    risk: str = "open",
    environment: str = "development",
    mesh: bool = False,
) -> Iterator[Stack]:
    """Run a stack for the time of a `with`.

    Raises:
        StackError: it did not start.
    """
    state = State(folder)
    described = spawn(state, ports=ports, risk=risk, environment=environment, mesh=mesh)
    try:
        yield Stack(state, described)
    finally:
        down(state)


def kill(state: State, name: str, number: int = signal.SIGKILL) -> int:
    """Send a signal to a process of a stack, by default as a crash would; tell its pid.

    Raises:
        StackError: no stack runs.
    """
    entry = _entry(state, name)
    if entry is None:
        raise StackError("no stack is running")
    os.kill(entry["pid"], number)
    return int(entry["pid"])


def until_healthy(state: State, name: str, *, not_pid: int, timeout_s: float = 60.0) -> None:
    """Wait until a process of a stack runs under another pid and its gate has opened.

    Raises:
        TimeoutError: it does not in time.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        entry = _entry(state, name)
        if entry and entry["pid"] != not_pid and entry["healthy"]:
            return
        time.sleep(_PAUSE_S)
    raise TimeoutError(f"{name} is not back after {timeout_s} s")


def _entry(state: State, name: str) -> dict[str, Any] | None:
    described = state.stack()
    if described is None:
        return None
    return dict({**described["services"], **described["processes"]}[name])
