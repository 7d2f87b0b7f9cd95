"""The embedded stack comes up, goes down, heals, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from devstack.processes import start_time
from devstack.stack import down, kill, running_stack, spawn, until_healthy
from devstack.state import StackError, State, reachable_folder

DEADLINE_S = 60


def paymesh(*arguments: str, state: State) -> "subprocess.CompletedProcess[str]":
    """Run the command as a person would."""
    command = [str(Path(sys.executable).with_name("paymesh")), *arguments]
    return subprocess.run(
        [*command, "--state", str(state.folder)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def children(state: State) -> dict[str, list[Any]]:
    """Read whom the supervisor started."""
    return dict(json.loads(state.children_file.read_text()))


def await_gone(noted: dict[str, list[Any]]) -> None:
    """Wait until none of these processes runs."""
    deadline = time.monotonic() + DEADLINE_S
    pause = threading.Event()
    while alive := [n for n, (pid, started) in noted.items() if start_time(pid) == started]:
        assert time.monotonic() < deadline, f"still running: {alive}"
        pause.wait(0.05)


def listeners(stack: dict[str, Any]) -> set[int]:
    """Name every port of a stack."""
    urls = [stack["edge"]["url"], stack["psp_sandbox"]["url"]]
    addresses = [entry["grpc"] for entry in stack["services"].values()] + urls
    return {int(address.rpartition(":")[2]) for address in addresses}


def test_stack_leaves_no_process_and_no_port() -> None:
    """After down nothing runs, nothing listens, and the same state comes up again with its data."""
    with reachable_folder("paymesh-test-") as folder:
        state = State(folder)
        stack = spawn(state, ports="auto", risk="open")
        noted = children(state)

        shown = paymesh("status", "--json", state=state)
        again = paymesh("up", "--detach", state=state)
        stopped = paymesh("down", state=state)

        assert shown.returncode == 0, shown.stderr
        assert all(entry["healthy"] for entry in json.loads(shown.stdout)["services"].values())
        assert again.stdout.startswith("running already")
        assert stopped.stdout == "stopped\n", stopped.stderr
        await_gone(noted)
        listening = {c.laddr.port for c in psutil.net_connections("tcp") if c.status == "LISTEN"}
        assert not listening & listeners(stack)
        with running_stack(folder) as second:
            assert second["client"]["api_key"] == stack["client"]["api_key"]


def test_nothing_outlives_a_killed_supervisor() -> None:
    """Kill -9 of the supervisor takes every child along, and the state can be used again."""
    with reachable_folder("paymesh-test-") as folder:
        state = State(folder)
        stack = spawn(state, ports="auto", risk="open")
        noted = children(state)

        os.kill(stack["supervisor"]["pid"], signal.SIGKILL)

        await_gone(noted)
        with running_stack(folder) as second:
            assert second["supervisor"]["pid"] != stack["supervisor"]["pid"]


def test_crashed_child_is_restarted(state: State) -> None:
    """A killed service is back, under another pid, and status says how often."""
    pid = kill(state, "risk_svc")
    until_healthy(state, "risk_svc", not_pid=pid)

    described = state.stack()

    assert described is not None
    assert described["services"]["risk_svc"]["restarts"] >= 1
    log = state.log("supervisor").read_text()
    assert "risk_svc ended with -9; restarting" in log


def test_two_stacks_stand_side_by_side(stack: dict[str, Any]) -> None:
    """Another state on other ports disturbs nobody."""
    with reachable_folder("paymesh-test-") as folder, running_stack(folder) as other:
        assert not listeners(stack) & listeners(other)
        assert other["client"]["api_key"] != stack["client"]["api_key"]


def test_failures_are_one_clear_line(state: State) -> None:
    """A wrong word is told in one line, exit 1, without a traceback."""
    with reachable_folder("paymesh-test-") as folder:
        nowhere = State(folder)
        results = [
            paymesh("status", state=nowhere),
            paymesh("logs", "nobody", state=state),
            paymesh("psql", "nothing", state=state),
            paymesh("explain", "pay_0000", state=state),
        ]

    for result in results:
        assert result.returncode == 1, result
        assert result.stderr.startswith("Error: ")
        assert "Traceback" not in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1


def test_what_does_not_start_says_why(state: State, stack: dict[str, Any]) -> None:
    """A stack that cannot start says why, and leaves alone what is running."""
    with pytest.raises(StackError, match="running already"):
        spawn(state, ports="auto", risk="open")

    assert (state.stack() or {})["supervisor"] == stack["supervisor"]


def test_interrupt_ends_a_foreground_stack() -> None:
    """Ctrl-C leaves no process behind."""
    with reachable_folder("paymesh-test-") as folder:
        state = State(folder)
        command = [str(Path(sys.executable).with_name("paymesh")), "up", "--ports", "auto"]
        process = subprocess.Popen(
            [*command, "--state", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert process.stdout is not None
        while not (line := process.stdout.readline()).startswith(b"ready"):
            assert line, "it ended before it was ready"
        noted = children(state)

        process.send_signal(signal.SIGINT)

        assert process.wait(DEADLINE_S) == 0
        process.stdout.close()
        await_gone(noted)


def test_down_of_nothing_says_so() -> None:
    """There is no harm in stopping what does not run."""
    with reachable_folder("paymesh-test-") as folder:
        assert down(State(folder)) is False
