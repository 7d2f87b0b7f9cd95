"""Services that reach their database no more, or may open nothing any more: who asks is told to
come again, no payment fails of it, and all that was asked for is done once it is over.
"""

import asyncio
import resource
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import aiohttp
import psycopg
import pytest
from psycopg import sql

from devstack.audit import CHECKERS, gather, judge_all, quiesce, violations
from devstack.rest import FINAL, Answer, RestClient, specification_request
from devstack.services import SERVICES
from devstack.stack import Stack, running_stack
from devstack.state import reachable_folder
from tests.chaos.stage import as_role
from tests.conftest import whole

DEADLINE_S = 120.0
ASKED = 3
AT_ONCE = 6
IMPATIENT = {"RPC_TIMEOUT_S": "2"}  # else each try of a step would take ten
TOLD = {200, 503, 504}
FRONT = ("payment", "edge_auth")  # without them nobody can be answered
_STANDARD_STREAMS = 3
_WORTH_ANOTHER_TRY = frozenset({429, 503, 504})


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack of this file's own."""
    with pytest.MonkeyPatch.context() as patch, reachable_folder("paymesh-cut-") as folder:
        for name, value in IMPATIENT.items():
            patch.setenv(name, value)
        with running_stack(folder) as stack:
            yield stack


@pytest.fixture
async def rest(stack: Stack) -> AsyncIterator[RestClient]:
    """The public API with the demo client's key."""
    whole(stack.state)
    async with RestClient(stack["edge"]["url"], stack["client"]["api_key"]) as client:
        yield client


@contextmanager
def away(stack: Stack, context: str) -> Iterator[int]:
    """Let nobody into a service's database; tell how many were thrown out."""
    allow = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
    with psycopg.connect(superuser(stack, context), autocommit=True) as connection:
        connection.execute(allow.format(sql.Identifier(context), sql.Literal(False)))
        try:
            yield thrown_out(connection, [context])
        finally:
            connection.execute(allow.format(sql.Identifier(context), sql.Literal(True)))


def superuser(stack: Stack, besides: str = "") -> str:
    """Write the URL of a database that stays, for whoever may do all."""
    context = next(one.context for one in SERVICES if one.context != besides)
    return as_role(stack.state, context, "postgres")


def thrown_out(connection: psycopg.Connection, contexts: list[str]) -> int:
    """End all connections to databases; tell how many."""
    return connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = ANY(%s) AND pid <> pg_backend_pid()",
        [contexts],
    ).rowcount


@contextmanager
def without_descriptors(stack: Stack) -> Iterator[None]:
    """Let no service open another file or socket; what is open stays."""
    before = {pid: resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in pids(stack).values()}
    try:
        for pid, (_, hard) in before.items():
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (_STANDARD_STREAMS, hard))
        yield
    finally:
        for pid, limits in before.items():
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("context", [one.context for one in SERVICES if one.context not in FRONT])
async def test_a_payment_waits_for_a_database_that_is_away(
    stack: Stack, rest: RestClient, context: str
) -> None:
    """Others go on: payments are taken in and read, and none is given up."""
    before = pids(stack)
    with away(stack, context) as thrown:
        assert thrown > 0
        created = [await rest.create(request()) for _ in range(ASKED)]
        assert {answer.status for answer in created} == {200}, created
        ids = [str(answer.body["payment_id"]) for answer in created]
        await until(lambda: all_in_trouble(stack, ids))
        for one in ids:
            told = await rest.get(one)
            assert (told.status, told.body["status"] in FINAL) == (200, False), told.body
    await all_completed(stack, rest, ids)
    assert pids(stack) == before


# Of payments that are asked for at once the second waits for the first: one is enough.
@pytest.mark.parametrize(("context", "at_once"), [("payment", 1), ("edge_auth", AT_ONCE)])
async def test_without_its_database_the_front_says_come_again(
    stack: Stack, rest: RestClient, context: str, at_once: int
) -> None:
    """503, and what was refused is done under the same key."""
    before = pids(stack)
    asked: dict[str, dict[str, Any]] = {}
    with away(stack, context) as thrown:
        assert thrown > 0
        for _ in range(2):  # as connections break, and when there are none
            await all_refused(rest, asked, at_once)
    await all_completed(stack, rest, await ids_of(rest, asked))
    assert pids(stack) == before


async def test_without_descriptors_nothing_is_lost(stack: Stack, rest: RestClient) -> None:
    """No service gets its database back, nor a caller in, until there are some again."""
    before, failed = pids(stack), connections_failed(stack)
    asked: dict[str, dict[str, Any]] = {}
    with without_descriptors(stack):
        with psycopg.connect(superuser(stack), autocommit=True) as connection:
            assert thrown_out(connection, [one.context for one in SERVICES]) > 0
        await all_refused(rest, asked, AT_ONCE)
        await until(lambda: cannot_connect(stack, failed))
        edge = stack.kill("edge")
        await asyncio.to_thread(stack.wait_healthy, "edge", not_pid=edge)
        await all_refused(rest, asked, AT_ONCE)
    await all_completed(stack, rest, await ids_of(rest, asked))
    assert pids(stack) == before
    async with aiohttp.ClientSession() as http:
        for entry in stack["services"].values():
            async with http.get(entry["metrics"]) as answer:
                assert answer.status == 200


def request() -> dict[str, Any]:
    """Write a payment of an order of its own."""
    return specification_request(str(uuid4()))


def pids(stack: Stack) -> dict[str, int]:
    """Tell which processes run as services now."""
    return {name: one["pid"] for name, one in stack.state.running()["services"].items()}


def connections_failed(stack: Stack) -> int:
    """Count how often payment_svc could not connect to its database, by its log."""
    return stack.state.log("payment_svc").read_text().count('"error connecting in')


async def cannot_connect(stack: Stack, before: int) -> bool:
    """Tell whether it could not since."""
    return connections_failed(stack) > before


async def all_refused(rest: RestClient, asked: dict[str, dict[str, Any]], at_once: int) -> None:
    """Ask until nobody is let in of some who ask at once; what is asked for is kept by its key."""
    statuses: set[int] = set()
    async with asyncio.timeout(DEADLINE_S):
        while not statuses or 200 in statuses:
            some = {str(uuid4()): request() for _ in range(at_once)}
            asked |= some
            found = await asyncio.gather(*(rest.create(one, key) for key, one in some.items()))
            statuses = {answer.status for answer in found}
            assert statuses <= TOLD, found


async def ids_of(rest: RestClient, asked: dict[str, dict[str, Any]]) -> list[str]:
    """Ask again, under the same keys, until each payment is there."""

    async def created(key: str, wanted: dict[str, Any]) -> Answer:
        while (answer := await rest.create(wanted, key)).status in _WORTH_ANOTHER_TRY:
            await asyncio.sleep(0.2)
        assert answer.status == 200, answer.body
        return answer

    async with asyncio.timeout(DEADLINE_S):
        answers = await asyncio.gather(*(created(*one) for one in asked.items()))
    return [str(answer.body["payment_id"]) for answer in answers]


async def all_completed(stack: Stack, rest: RestClient, payment_ids: list[str]) -> None:
    """Wait until payments are completed and all is at rest, and hold it against the invariants."""
    ends = [await rest.until_final(one, DEADLINE_S) for one in payment_ids]
    assert {end["status"] for end in ends} == {"COMPLETED"}
    await quiesce(stack, DEADLINE_S, steady_s=0.5)
    assert violations(judge_all(CHECKERS, await gather(stack))) == []


async def all_in_trouble(stack: Stack, payment_ids: list[str]) -> bool:
    """Tell whether the saga of each payment has met trouble, and means to try again."""
    async with await psycopg.AsyncConnection.connect(stack["databases"]["payment"]) as connection:
        found = await connection.execute(
            "SELECT count(DISTINCT payment_id) FROM sagas JOIN saga_steps USING (saga_id)"
            " WHERE outcome = 'retry' AND payment_id = ANY(%s)",
            [payment_ids],
        )
        (row,) = await found.fetchall()
    return int(row[0]) == len(payment_ids)


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(DEADLINE_S):
        while not await is_so():
            await asyncio.sleep(0.05)
