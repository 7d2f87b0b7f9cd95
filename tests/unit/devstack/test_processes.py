"""Children that never outlive their supervisor."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from devstack.processes import Recipe, end_leftovers, start, start_time
from tests.unit.devstack.waiting import DEADLINE_S, until

# A supervisor that starts a child, names it, and waits to be killed.
PARENT = """
import asyncio, sys
from pathlib import Path
from devstack.processes import Recipe, start

async def main():
    child = await start(Recipe("child", ["sleep", "300"]), Path(sys.argv[1]))
    print(child.pid, child.started, flush=True)
    await child.process.wait()

asyncio.run(main())
"""


def await_end(pid: int, started: str) -> None:
    """Wait until a process has ended."""
    deadline = time.monotonic() + DEADLINE_S
    while start_time(pid) == started:
        assert time.monotonic() < deadline, f"{pid} still runs"


def test_a_child_dies_with_a_killed_parent(tmp_path: Path) -> None:
    """Kill -9 of the parent, who can do nothing about it any more, ends the child."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid, started = parent.stdout.readline().split()
    assert start_time(int(pid)) == started

    parent.kill()
    parent.wait()
    parent.stdout.close()

    await_end(int(pid), started)


async def test_stop_takes_the_whole_group_along(tmp_path: Path) -> None:
    """A child's own child does not survive it, also when the child forgets it."""
    log = tmp_path / "log"
    child = await start(Recipe("shell", ["sh", "-c", "sleep 300 & echo $!; wait"]), log)
    await until(lambda: log.read_text().endswith("\n"))
    grandchild = int(log.read_text())
    started = start_time(grandchild)
    assert started is not None

    await child.stop()

    assert child.process.returncode == -signal.SIGTERM
    await_end(grandchild, started)


async def test_stopping_what_has_ended_does_no_harm(tmp_path: Path) -> None:
    """A process may end by itself just before it is told to."""
    child = await start(Recipe("true", ["true"]), tmp_path / "log")
    await child.process.wait()

    await child.stop()

    assert child.process.returncode == 0


async def test_leftovers_are_ended_by_pid_and_start_time(tmp_path: Path) -> None:
    """What a former run noted is ended, also when it does not listen to SIGTERM."""
    log = tmp_path / "log"
    deaf = Recipe("deaf", ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.2; done"])
    child = await start(deaf, log)
    await until(lambda: log.read_text() != "")

    ended = await asyncio.to_thread(end_leftovers, {"deaf": [child.pid, child.started]})

    assert ended == ["deaf"]
    assert await child.process.wait() == -signal.SIGKILL


def test_a_reused_pid_is_left_alone() -> None:
    """A process that has the pid of a former child, but not its start time, is a stranger."""
    assert end_leftovers({"stranger": [os.getpid(), "an-earlier-boot:1"]}) == []
    assert end_leftovers({"never started": [os.getpid(), ""]}) == []


async def test_the_environment_cannot_bend_the_stacks_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the user has set for PostgreSQL's or gRPC's own clients does not reach a child."""
    monkeypatch.setenv("PGSSLMODE", "require")
    child = await start(Recipe("env", ["env"]), tmp_path / "log")
    await child.process.wait()

    lines = (tmp_path / "log").read_text().splitlines()
    assert not [line for line in lines if line.startswith("PG")]
    assert "no_grpc_proxy=127.0.0.1" in lines
