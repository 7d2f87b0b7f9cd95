"""Processes that are kept running."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devstack.keeper import Keeper, together
from devstack.processes import Recipe, start_time
from devstack.state import StackError, State
from tests.unit.devstack.waiting import until


class Kept:
    """A keeper, its state folder, and the lines that it told."""

    def __init__(self, folder: Path) -> None:
        self.state = State(folder)
        self.state.prepare()
        self.lines: list[str] = []
        self.keeper = Keeper(self.state, self.lines.append, lambda: None)

    async def until(self, name: str, restarts: int) -> None:
        """Wait until a process is healthy after its n-th restart."""
        process = self.keeper.kept[name]
        await until(lambda: process.restarts == restarts and process.healthy)


async def open_gate() -> None:
    """Be ready at once."""


async def closed_gate() -> None:
    """Be ready never."""
    await asyncio.Event().wait()


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    """A keeper that ends what a test leaves."""
    kept = Kept(tmp_path)
    yield kept
    kept.keeper.let_go()
    await kept.keeper.end(list(kept.keeper.kept))


async def test_a_killed_process_is_back_under_another_pid(kept: Kept) -> None:
    """It is restarted, told, counted, and noted for whoever has to clean up."""
    await kept.keeper.begin(Recipe("sleeper", ["sleep", "300"]), open_gate)
    first = kept.keeper.kept["sleeper"].child.pid

    os.kill(first, signal.SIGKILL)
    await kept.until("sleeper", 1)

    second = kept.keeper.kept["sleeper"].child
    assert second.pid != first
    assert "! sleeper ended with -9; restarting it in 0.05 s" in kept.lines
    noted = json.loads(kept.state.children_file.read_text())
    assert noted == {"sleeper": [second.pid, start_time(second.pid)]}


async def test_a_process_that_keeps_crashing_is_restarted_ever_more_slowly(kept: Kept) -> None:
    """The machine is not kept busy with what cannot live."""
    folder = kept.state.folder
    script = f"[ -e {folder}/once ] && exit 3; touch {folder}/begun; sleep 300"
    await kept.keeper.begin(Recipe("crasher", ["sh", "-c", script]), open_gate)
    await until((folder / "begun").exists)
    (folder / "once").touch()

    os.kill(kept.keeper.kept["crasher"].child.pid, signal.SIGKILL)
    await until(lambda: kept.keeper.kept["crasher"].restarts >= 4)

    pauses = [line.split()[-2] for line in kept.lines if line.startswith("!")]
    assert pauses[:4] == ["0.05", "0.05", "0.2", "1.0"]


async def test_a_gate_that_fails_is_asked_again(kept: Kept) -> None:
    """Who cannot tell whether a process is ready keeps it all the same, and tells that."""
    answers: list[Exception | None] = [None, ValueError("no such answer"), None, None]

    async def gate() -> None:
        answer = answers.pop(0)
        if answer is not None:
            raise answer

    await kept.keeper.begin(Recipe("sleeper", ["sleep", "300"]), gate)
    for restarts in (1, 2):
        os.kill(kept.keeper.kept["sleeper"].child.pid, signal.SIGKILL)
        await kept.until("sleeper", restarts)

    assert answers == []
    told = "! whether sleeper is ready cannot be told: ValueError('no such answer')"
    assert told in kept.lines


async def test_what_ends_before_it_is_ready_says_why(kept: Kept) -> None:
    """The message holds the exit status and the last words."""
    failing = Recipe("failing", ["sh", "-c", "echo no such luck; exit 3"])

    with pytest.raises(StackError, match=r"failing ended with 3: no such luck"):
        await kept.keeper.begin(failing, closed_gate)


async def test_ended_processes_stay_ended(kept: Kept) -> None:
    """What is ended on purpose is not restarted."""
    await kept.keeper.begin(Recipe("sleeper", ["sleep", "300"]), open_gate)
    child = kept.keeper.kept["sleeper"].child

    kept.keeper.let_go()
    await kept.keeper.end(["sleeper", "unknown"])

    assert start_time(child.pid) is None
    assert kept.keeper.kept["sleeper"].restarts == 0


async def test_the_first_failure_ends_its_neighbours() -> None:
    """Nothing goes on starting once something has failed, and one error is raised, not a group."""
    ended = asyncio.Event()

    async def neighbour() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def failing() -> None:
        await asyncio.sleep(0)
        raise StackError("first")

    with pytest.raises(StackError, match="first"):
        await together(neighbour(), failing())

    assert ended.is_set()
