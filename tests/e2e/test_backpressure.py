"""Too much at once, and a dead PSP: the excess is told to come again, nothing accepted is lost, and
the PSP is left alone.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from devstack.rest import Answer, RestClient, specification_request
from devstack.stack import Stack, running_stack
from devstack.state import reachable_folder
from tests.conftest import whole

DEADLINE_S = 90.0
OFFERED = 60
AT_ONCE = 8


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack of its own that works on four payments at once and lets eight wait."""
    with pytest.MonkeyPatch.context() as patch, reachable_folder("paymesh-full-") as folder:
        patch.setenv("SAGAS_IN_FLIGHT_MAX", "4")
        patch.setenv("QUEUE_DEPTH_MAX", "8")
        with running_stack(folder) as stack:
            whole(stack.state)
            yield stack


@pytest.fixture
async def rest(stack: Stack) -> AsyncIterator[RestClient]:
    """The public API with the demo client's key."""
    async with RestClient(stack["edge"]["url"], stack["client"]["api_key"]) as client:
        yield client


class Psp:
    """The sandbox's control."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = f"{url}/control"

    async def tell(self, path: str, **body: Any) -> None:
        """Tell it something."""
        async with self._session.post(f"{self._url}/{path}", json=body) as response:
            assert response.status == 200, await response.text()

    async def well(self) -> None:
        """Lift all faults."""
        async with self._session.delete(f"{self._url}/faults") as response:
            assert response.status == 200

    async def calls(self) -> int:
        """Count the calls of Stripe's face."""
        async with self._session.get(f"{self._url}/state") as response:
            return int((await response.json())["arrived"].get("stripe", 0))


@pytest.fixture
async def psp(stack: Stack) -> AsyncIterator[Psp]:
    """Whoever moves the sandbox."""
    async with aiohttp.ClientSession() as session:
        yield Psp(session, stack["psp_sandbox"]["url"])


async def offer(rest: RestClient, key: str) -> Answer:
    """Ask for a payment at Stripe."""
    request = specification_request(f"order-{key}")
    request["credit_card_info"]["token"] = "pm_card_visa"
    return await rest.create(request, key)


async def until_turned_away(rest: RestClient) -> tuple[dict[str, Answer], str, Answer]:
    """Offer payments, more at once than it works on, until one is turned away; tell that one and
    the accepted.
    """
    accepted: dict[str, Answer] = {}
    async with asyncio.timeout(DEADLINE_S):
        while True:
            keys = [str(uuid4()) for _ in range(AT_ONCE)]
            answers = await asyncio.gather(*(offer(rest, key) for key in keys))
            told = dict(zip(keys, answers, strict=True))
            accepted |= {key: answer for key, answer in told.items() if answer.status == 200}
            for key, answer in told.items():
                if answer.status != 200:
                    return accepted, key, answer


async def completed(rest: RestClient, payment_id: str) -> None:
    """Wait until a payment has succeeded."""
    payment = await rest.until_final(payment_id, timeout_s=DEADLINE_S)
    assert payment["status"] == "COMPLETED", payment


async def test_the_excess_is_told_to_come_again(rest: RestClient, psp: Psp) -> None:
    """429 with Retry-After; known keys and reads are answered; the accepted complete, and then the
    very request that was turned away is taken in under its key.
    """
    await psp.tell("faults", kind="slow", delay_ms=2000, probability=1.0)
    accepted, key, refused = await until_turned_away(rest)
    first = next(iter(accepted))
    replayed = await offer(rest, first)
    read = await rest.get(accepted[first].body["payment_id"])
    await psp.well()

    assert refused.status == 429
    assert refused.body["details"][0]["reason"] == "QUEUE_FULL"
    assert int(refused.headers["retry-after"]) >= 1
    assert (replayed.status, replayed.body) == (200, accepted[first].body)
    assert read.status == 200
    for answer in accepted.values():
        await completed(rest, answer.body["payment_id"])
    async with asyncio.timeout(DEADLINE_S):
        while (again := await offer(rest, key)).status == 429:
            await asyncio.sleep(0.2)
    await completed(rest, again.body["payment_id"])


async def test_a_dead_psp_is_left_alone(rest: RestClient, psp: Psp) -> None:
    """It hears 1.2 calls of each payment offered at most, and its probes; once it is back every one
    of them completes.
    """
    await psp.tell("dark", dark=True)
    before, begun = await psp.calls(), time.monotonic()
    payment_ids: list[str] = []
    async with asyncio.timeout(DEADLINE_S):
        while len(payment_ids) < OFFERED:
            answer = await offer(rest, str(uuid4()))
            if answer.status == 200:
                payment_ids.append(answer.body["payment_id"])
            else:
                await asyncio.sleep(0.1)
    heard, probes = await psp.calls() - before, 0.5 * (time.monotonic() - begun)
    await psp.tell("dark", dark=False)

    assert heard > 0
    assert heard <= 1.2 * OFFERED + probes
    for payment_id in payment_ids:
        payment = await rest.until_final(payment_id, timeout_s=DEADLINE_S)
        assert payment["status"] in ("COMPLETED", "FAILED")
