"""A certificate that expires while the mesh runs: nobody is let in by it, Envoy counts why, and all
is well within seconds of a new one.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from devstack.audit import CHECKERS, gather, judge_all, quiesce, violations
from devstack.mesh.certificates import Certificates, utc_now
from devstack.mesh.embedded import socket_folder
from devstack.rest import FINAL, RestClient, specification_request
from devstack.stack import Stack
from devstack.state import State

DEADLINE_S = 120.0
PAID = 3
REFUSED = {503, 504}
_LIFETIME = timedelta(hours=24)
_LEFT = timedelta(seconds=2)


@pytest.fixture
async def rest(mesh_stack: dict[str, Any]) -> AsyncIterator[RestClient]:
    """The public API of the mesh."""
    async with RestClient(mesh_stack["edge"]["url"], mesh_stack["client"]["api_key"]) as client:
        yield client


@pytest.fixture
async def mesh(mesh_state: State, mesh_stack: dict[str, Any]) -> AsyncIterator[Stack]:
    """The mesh, whose certificates are good again after the test."""
    yield Stack(mesh_state, mesh_stack)
    Certificates(mesh_state.certificates).rotate([], utc_now())


async def test_nobody_believes_a_service_whose_certificate_expired(
    mesh: Stack, rest: RestClient
) -> None:
    """Payments wait for the ledger, are read meanwhile, and none is given up."""
    await expire(mesh, "ledger_svc", "ledger_svc.sidecar")
    before = await distrusted(mesh)
    created = [await rest.create(specification_request(str(uuid4()))) for _ in range(PAID)]
    assert {answer.status for answer in created} == {200}, created
    ids = [str(answer.body["payment_id"]) for answer in created]
    await until(lambda: is_more(mesh, before))
    for one in ids:
        told = await rest.get(one)
        assert (told.status, told.body["status"] in FINAL) == (200, False), told.body

    Certificates(mesh.state.certificates).rotate(["ledger_svc"], utc_now())
    ends = [await rest.until_final(one, DEADLINE_S) for one in ids]
    assert {end["status"] for end in ends} == {"COMPLETED"}
    await sound(mesh)


@pytest.mark.parametrize(
    ("name", "envoy"), [("payment_svc", "payment_svc.sidecar"), ("edge", "edge")]
)
async def test_behind_an_expired_certificate_callers_are_refused(
    mesh: Stack, rest: RestClient, name: str, envoy: str
) -> None:
    """503, until there is a new one; then the same keys do what was asked, once."""
    await expire(mesh, name, envoy)
    before = await distrusted(mesh)
    asked = {str(uuid4()): specification_request(str(uuid4())) for _ in range(PAID)}
    answers = [await rest.create(one, key) for key, one in asked.items()]
    assert {answer.status for answer in answers} <= REFUSED, answers
    await until(lambda: is_more(mesh, before))

    Certificates(mesh.state.certificates).rotate([name], utc_now())
    ids = []
    async with asyncio.timeout(DEADLINE_S):
        for key, one in asked.items():
            while (answer := await rest.create(one, key)).status in REFUSED:
                await asyncio.sleep(0.1)
            assert answer.status == 200, answer.body
            ids.append(str(answer.body["payment_id"]))
    ends = [await rest.until_final(one, DEADLINE_S) for one in ids]
    assert {end["status"] for end in ends} == {"COMPLETED"}
    await sound(mesh)


async def expire(mesh: Stack, name: str, envoy: str) -> None:
    """Give a part a certificate that ends in a moment; when it has, make others meet it anew."""
    certificates = Certificates(mesh.state.certificates)
    (made,) = certificates.rotate([name], utc_now() - _LIFETIME + _LEFT)
    while utc_now() <= made.not_after:
        await asyncio.sleep(0.1)
    pid = mesh.kill(envoy)
    await asyncio.to_thread(mesh.wait_healthy, envoy, not_pid=pid)


async def distrusted(mesh: Stack) -> int:
    """Count how often any Envoy has met a certificate that it does not believe."""
    count = 0
    for admin in socket_folder(mesh.state).glob("*.admin.sock"):
        try:
            async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(admin))) as http:
                asked = {"filter": r"ssl\.fail_verify_error$", "format": "json"}
                async with http.get("http://envoy/stats", params=asked) as answer:
                    found = (await answer.json(content_type=None))["stats"]
        except aiohttp.ClientError:
            continue  # an Envoy that is being started anew
        count += sum(int(each["value"]) for each in found)
    return count


async def is_more(mesh: Stack, before: int) -> bool:
    """Tell whether a certificate was not believed since."""
    return await distrusted(mesh) > before


async def sound(mesh: Stack) -> None:
    """Wait until all is at rest, and hold it against the invariants."""
    await quiesce(mesh, DEADLINE_S, steady_s=0.5)
    assert violations(judge_all(CHECKERS, await gather(mesh))) == []


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(DEADLINE_S):
        while not await is_so():
            await asyncio.sleep(0.1)
