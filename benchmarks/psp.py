"""The gateway's processor time per charge, beside a bare HTTP client that sends the same requests.

Both ask the sandbox, one after the other on the same stack: two requests per charge, 256 charges in
flight. The gateway stores each attempt three times on the way, by group commit; its webhooks are
held back first, and then counted too.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp
import grpc
from paymesh.psp.v1 import attempt_pb2 as noun
from paymesh.psp.v1 import psp_gateway_service_pb2 as service
from paymesh.psp.v1.psp_gateway_service_pb2_grpc import PspGatewayServiceStub
from rich.console import Console
from rich.table import Table

from benchmarks.processor import own_s, used_s
from benchmarks.results import Measure
from devstack.stack import down, spawn
from devstack.state import State, reachable_folder

_IN_FLIGHT, _BATCH = 256, 16
_WARM_UP_S, _MEASURE_S = 3.0, 10.0
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}

Ask = Callable[[], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Way:
    """How charges are made: `ask` makes some and answers how many; `cpu` tells seconds used."""

    name: str
    ask: Ask
    callers: int
    cpu: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a way came to."""

    per_s: float
    cpu_us: float


async def run() -> list[Measure]:
    """Measure on a fresh stack."""
    with reachable_folder("paymesh-bench-") as folder:
        state = State(folder)
        stack = await asyncio.to_thread(spawn, state, ports="auto", risk="open")
        try:
            return await _measure(stack, state)
        finally:
            await asyncio.to_thread(down, state)


async def _measure(stack: Mapping[str, Any], state: State) -> list[Measure]:
    sandbox = stack["psp_sandbox"]["url"]
    seen: dict[str, Seen] = {}
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_IN_FLIGHT)) as session,
        grpc.aio.insecure_channel(stack["services"]["psp_gateway"]["grpc"]) as channel,
    ):
        stub: Any = PspGatewayServiceStub(channel)
        bare = Way("bare client", lambda: _bare(session, sandbox), _IN_FLIGHT, own_s)
        callers = _IN_FLIGHT // _BATCH
        gateway = Way("gateway", lambda: _charge(stub), callers, lambda: _gateway_s(state))
        for way, hold in ((bare, True), (gateway, True), (gateway, False)):
            await _control(session, sandbox, hold=hold)
            name = way.name if hold else f"{way.name}, webhooks too"
            seen[name] = await _at(way)
    _show(seen)
    ratio = seen["gateway"].cpu_us / seen["bare client"].cpu_us
    measures = [
        Measure(f"{name}: {unit}", figure, unit)
        for name, one in seen.items()
        for figure, unit in ((one.cpu_us, "µs CPU per charge"), (one.per_s, "charges/s"))
    ]
    return [*measures, Measure("psp_cpu_over_bare_client", ratio, "×")]


async def _at(way: Way) -> Seen:
    """Run a way's callers; count after the warm-up."""
    stop, counted = asyncio.Event(), [0]

    async def caller() -> None:
        while not stop.is_set():
            made = await way.ask()  # before the sum is read: others add to it meanwhile
            counted[0] += made

    callers = [asyncio.create_task(caller()) for _ in range(way.callers)]
    await asyncio.sleep(_WARM_UP_S)
    before, done, began = way.cpu(), counted[0], time.perf_counter()
    await asyncio.sleep(_MEASURE_S)
    used, made, elapsed = way.cpu() - before, counted[0] - done, time.perf_counter() - began
    stop.set()
    await asyncio.gather(*callers)
    return Seen(made / elapsed, 1e6 * used / made)


async def _bare(session: aiohttp.ClientSession, sandbox: str) -> int:
    """Make one charge as the gateway would, and look at no more than it must."""
    key, url = str(uuid4()), f"{sandbox}/stripe/v1/payment_intents"
    headers = {**_FORM, "Authorization": "Bearer sk_test_sandbox"}  # pragma: allowlist secret
    form = (
        "amount=9999&currency=usd&payment_method=psp_card_token_xyz&payment_method_types%5B%5D=card"
        f"&capture_method=automatic&metadata%5Battempt_id%5D=att_{key}"
    )
    async with session.post(
        url, data=form, headers={**headers, "Idempotency-Key": f"{key}:create"}
    ) as answer:
        intent = (await answer.json())["id"]
    async with session.post(
        f"{url}/{intent}/confirm",
        data="return_url=https%3A%2F%2Fshop.example%2Fback",
        headers={**headers, "Idempotency-Key": f"{key}:confirm"},
    ) as answer:
        if (await answer.json())["status"] != "succeeded":
            raise RuntimeError(f"{intent} did not succeed")
    return 1


async def _charge(stub: Any) -> int:
    """Make a batch of charges at the gateway."""
    charges = [
        service.ChargeCommand(
            attempt_id=f"att_{uuid4().hex}",
            payment_id=f"pay_{uuid4().hex}",
            client_id="demo",
            amount="99.99",
            currency="USD",
            payment_token="psp_card_token_xyz",
        )
        for _ in range(_BATCH)
    ]
    answer = await stub.ExecuteCharges(service.ExecuteChargesRequest(charges=charges), timeout=30)
    wrong = [r for r in answer.results if r.attempt.outcome != noun.Attempt.SUCCEEDED]
    if wrong:
        raise RuntimeError(f"a charge did not succeed: {wrong[0]}")
    return len(charges)


async def _control(session: aiohttp.ClientSession, sandbox: str, *, hold: bool) -> None:
    """Hold webhooks back, or let those that were held and all others go."""
    async with session.post(f"{sandbox}/control/webhooks", json={"hold": hold}) as answer:
        answer.raise_for_status()


def _gateway_s(state: State) -> float:
    return used_s(state.folder)["psp_gateway"]


def _show(seen: Mapping[str, Seen]) -> None:
    table = Table("way", "charges/s", "µs CPU per charge", "over the bare client", box=None)
    least = seen["bare client"].cpu_us
    for name, one in seen.items():
        table.add_row(name, f"{one.per_s:,.0f}", f"{one.cpu_us:,.0f}", f"{one.cpu_us / least:.2f}×")
    Console().print(table)
