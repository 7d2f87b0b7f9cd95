"""Stacks for programs: start one in the background, look at it, kill parts of it, end it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from devstack.health import is_serving
from devstack.processes import start_time
from devstack.state import StackError, State

_START_TIMEOUT_S = 90.0
_STOP_TIMEOUT_S = 40.0
# Supervisors that this process started: it must reap them when they have ended.
_STARTED: dict[int, "subprocess.Popen[bytes]"] = {}


def spawn(
    state: State, *, ports: str, risk: str, environment: str = "development"
) -> dict[str, Any]:
    """Start a stack in the background and wait until it is ready; answer its stack.json.

    Raises:
        StackError: it did not start; the message holds its last lines.
    """
    state.prepare()
    log = state.log("supervisor")
    command = [sys.executable, "-m", "devstack.supervisor", "--state", str(state.folder)]
    command += ["--ports", ports, "--risk", risk, "--environment", environment]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True
        )
    _STARTED[process.pid] = process
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        described = state.stack()
        if described is not None and described["supervisor"]["pid"] == process.pid:
            return described
        if process.poll() is not None:
            raise StackError(_last_lines(log))
        time.sleep(0.05)
    process.terminate()
    raise StackError(f"not ready in {_START_TIMEOUT_S:.0f} s: {_last_lines(log)}")


def _last_lines(log: Path) -> str:
    lines = log.read_text().strip().splitlines()
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return errors[-1] if errors else "\n".join(lines[-5:]) or "it ended without a word"


def is_running(state: State) -> bool:
    """Tell whether a supervisor runs this state."""
    described = state.stack()
    if described is None:
        return False
    supervisor = described["supervisor"]
    return start_time(int(supervisor["pid"])) == str(supervisor["started"])


def status(state: State) -> dict[str, Any] | None:
    """Describe a running stack with the health of its services as of now; None: none runs."""
    if not is_running(state):
        return None
    described = state.stack()
    if described is None:
        return None
    entries = described["services"]

    async def ask() -> list[bool]:
        return await asyncio.gather(*(is_serving(entry["grpc"]) for entry in entries.values()))

    for entry, healthy in zip(entries.values(), asyncio.run(ask()), strict=True):
        entry["healthy"] = healthy
    return described


def down(state: State) -> bool:
    """End a stack and wait until it is gone; tell whether there was one.

    Raises:
        StackError: it did not end in time.
    """
    described = state.stack()
    if described is None or not is_running(state):
        return False
    supervisor = described["supervisor"]
    os.kill(supervisor["pid"], signal.SIGTERM)
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    while _is_there(supervisor["pid"], supervisor["started"]):
        if time.monotonic() > deadline:
            raise StackError(f"the supervisor {supervisor['pid']} did not end")
        time.sleep(0.03)
    return True


def _is_there(pid: int, started: str) -> bool:
    """Tell whether a supervisor still runs; our own is reaped once it has ended."""
    if pid in _STARTED and _STARTED[pid].poll() is not None:
        del _STARTED[pid]
    return start_time(pid) == started


@contextmanager
def running_stack(
    folder: Path, *, ports: str = "auto", risk: str = "open", environment: str = "development"
) -> Iterator[dict[str, Any]]:
    """Run a stack for the time of a `with`; gives its stack.json.

    Raises:
        StackError: it did not start.
    """
    state = State(folder)
    described = spawn(state, ports=ports, risk=risk, environment=environment)
    try:
        yield described
    finally:
        down(state)


def kill(state: State, service: str) -> int:
    """Kill a service with SIGKILL, as a crash would; tell its pid.

    Raises:
        StackError: no stack runs.
    """
    described = state.stack()
    if described is None:
        raise StackError("no stack is running")
    pid = int(described["services"][service]["pid"])
    os.kill(pid, signal.SIGKILL)
    return pid


def until_healthy(state: State, service: str, *, not_pid: int, timeout_s: float = 20.0) -> None:
    """Wait until a service runs under another pid and serves.

    Raises:
        TimeoutError: it does not in time.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        described = state.stack()
        entry = described["services"][service] if described else None
        if entry and entry["pid"] != not_pid and asyncio.run(is_serving(entry["grpc"])):
            return
        time.sleep(0.05)
    raise TimeoutError(f"{service} is not back after {timeout_s} s")
