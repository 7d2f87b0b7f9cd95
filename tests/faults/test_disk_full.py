"""A disk that is full: who asks is told to come again, nothing is half there, and with room again
all that was asked for is done, once.
"""

import asyncio
import shutil
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from devstack.audit import CHECKERS, gather, judge_all, quiesce, violations
from devstack.rest import Answer, RestClient, specification_request
from devstack.stack import Stack, running_stack
from devstack.state import reachable_folder
from tests.conftest import whole

DEADLINE_S = 120.0
DISK = "640m"
TOLD = {200, 503}
CALLERS, REFUSED_AT_LEAST = 4, 12
_PIECE = 1 << 20
_WORTH_ANOTHER_TRY = frozenset({429, 503, 504})


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Move a folder to a file system of its own, of the size `DISK`."""
    aside = folder.with_name("aside")
    folder.rename(aside)
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("only who may mount a small file system can have it full")
    try:
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Leave no room on a folder's disk, and keep it so against whoever frees some."""
    filler = folder / "filler"
    try:
        with filler.open("wb", buffering=0) as stream:
            size = _PIECE
            while size:
                try:
                    stream.write(bytes(size))
                except OSError:
                    size //= 2
        yield
    finally:
        filler.unlink()


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack whose PostgreSQL has a small disk to itself."""
    with reachable_folder("paymesh-disk-") as folder:
        with running_stack(folder):
            pass  # there is a database now
        with small_disk(folder / "postgres"), running_stack(folder) as stack:
            whole(stack.state)
            yield stack


@pytest.fixture
async def rest(stack: Stack) -> AsyncIterator[RestClient]:
    """The public API with the demo client's key."""
    async with RestClient(stack["edge"]["url"], stack["client"]["api_key"]) as client:
        yield client


async def test_what_a_full_disk_refuses_is_done_once_there_is_room(
    stack: Stack, rest: RestClient
) -> None:
    """Who asks meanwhile is told 503, never an error that nobody can act upon."""
    asked: dict[str, dict[str, Any]] = {}
    answers: Counter[int] = Counter()
    paid = await rest.create(specification_request(str(uuid4())), str(uuid4()), 20)
    assert paid.body["status"] == "COMPLETED"

    async def call() -> None:
        while answers[503] < REFUSED_AT_LEAST and answers.keys() <= TOLD:
            key = str(uuid4())
            asked[key] = specification_request(key)
            answers[(await rest.create(asked[key], key)).status] += 1

    with filled(stack.state.folder / "postgres"):
        async with asyncio.timeout(DEADLINE_S):
            await asyncio.gather(*(call() for _ in range(CALLERS)))
    assert answers.keys() <= TOLD, answers

    async with asyncio.timeout(DEADLINE_S):
        created = await asyncio.gather(*(_until_created(rest, *one) for one in asked.items()))
    ends = {await _end(rest, one) for one in created}
    assert ends == {"COMPLETED"}
    await quiesce(stack, DEADLINE_S, steady_s=0.5)
    facts = await gather(stack)
    assert violations(judge_all(CHECKERS, facts)) == []


async def _until_created(rest: RestClient, key: str, request: dict[str, Any]) -> Answer:
    """Ask under the same key until there is room."""
    while (answer := await rest.create(request, key)).status in _WORTH_ANOTHER_TRY:
        await asyncio.sleep(0.2)
    assert answer.status == 200, answer.body
    return answer


async def _end(rest: RestClient, created: Answer) -> str:
    payment = await rest.until_final(created.body["payment_id"], DEADLINE_S)
    return str(payment["status"])
