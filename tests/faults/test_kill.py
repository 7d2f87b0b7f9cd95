"""kill -9 at every step: the payment ends right after the restart, charged once, books square."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar
from uuid import uuid4

import aiohttp
import grpc
import pytest
from paymesh.payment.v1 import operations_service_pb2 as operations

from devstack.demo import settled_trail
from devstack.invariants import check
from devstack.rest import RestClient, specification_request
from devstack.services import SERVICES
from devstack.stack import kill, until_healthy
from devstack.state import State
from devstack.trail import Operator, Trail

Result = TypeVar("Result")
DEADLINE_S = 60.0
QUIET_S = 120.0  # longer than a lease
# Every point is in the matrix; these few die under the supervisor and behind the edge.
POINTS = [
    ("payment_svc", "pay_in.charge.after"),
    ("payment_svc", "pay_in.post.recorded"),
    ("payment_svc", "settle.settle.before"),
    ("psp_gateway", "psp.confirmed"),
]


async def final(stack: dict[str, Any], payment_id: str) -> dict[str, Any]:
    """Read a payment until it is final, while services come and go."""
    async with (
        asyncio.timeout(DEADLINE_S),
        RestClient(stack["edge"]["url"], stack["client"]["api_key"]) as rest,
    ):
        while True:
            try:
                return await rest.until_final(payment_id, timeout_s=DEADLINE_S)
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(0.1)


async def patiently(ask: Callable[[], Awaitable[Result]]) -> Result:
    """Ask until somebody answers: services come and go."""
    while True:
        try:
            return await ask()
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            await asyncio.sleep(0.1)


async def story(stack: dict[str, Any], payment_id: str) -> Trail:
    """Gather a payment's trail once all is done."""
    async with asyncio.timeout(DEADLINE_S), Operator(stack) as operator:
        return await patiently(lambda: settled_trail(operator, payment_id))


async def quiet(stack: dict[str, Any]) -> None:
    """Wait until no saga is open: a fault must strike this test's payment, not another's."""
    async with asyncio.timeout(QUIET_S), Operator(stack) as operator:
        for queue in ("PAYMENT", "RETRY", "WAITING"):
            request = operations.ListSagasRequest(queue=queue, page_size=500)
            ask = partial(operator.payments.ListSagas, request)
            while any(saga.reason != "NOT_DUE" for saga in (await patiently(ask)).sagas):
                await asyncio.sleep(0.1)


async def pay(stack: dict[str, Any]) -> str:
    """Send the specification's request."""
    async with RestClient(stack["edge"]["url"], stack["client"]["api_key"]) as rest:
        created = await rest.create(specification_request(f"order-{uuid4()}"))
    assert created.status == 200, created.body
    return str(created.body["payment_id"])


def restarts(state: State, service: str) -> int:
    """Tell how often the supervisor restarted a service."""
    described = state.stack()
    assert described is not None
    return int(described["services"][service]["restarts"])


async def arm(state: State, service: str, point: str) -> int:
    """Have a service die at a point; tell how often it was restarted by then."""
    state.plan_fault(service, f"{point}=kill")
    pid = kill(state, service)
    await asyncio.to_thread(until_healthy, state, service, not_pid=pid)
    return restarts(state, service)


@pytest.mark.parametrize(("service", "point"), POINTS, ids=[point for _, point in POINTS])
async def test_killed_at_a_step_it_ends_charged_once(
    state: State, stack: dict[str, Any], service: str, point: str
) -> None:
    """Whichever instant the process dies at, nothing is lost and nothing happens twice."""
    await quiet(stack)
    armed = await arm(state, service, point)

    payment_id = await pay(stack)
    payment = await final(stack, payment_id)
    trail = await story(stack, payment_id)

    assert restarts(state, service) == armed + 1, "the fault did not strike"
    assert payment["status"] == "COMPLETED"
    assert [(v.name, v.evidence) for v in check(trail) if not v.holds] == []
    assert len([r for r in trail.psp_record if r["kind"] == "charge"]) == 1


@pytest.mark.parametrize("service", [s.name for s in SERVICES if s.name != "edge_auth"])
async def test_killed_while_the_psp_is_slow_it_ends_charged_once(
    state: State, stack: dict[str, Any], service: str
) -> None:
    """Each service may die while a charge is under way."""
    async with aiohttp.ClientSession(stack["psp_sandbox"]["url"]) as control:
        fault = {"kind": "slow", "delay_ms": 500, "times": 1, "match": {"operation": "confirm"}}
        async with control.post("/control/faults", json=fault) as response:
            assert response.status < 300, await response.text()
    payment_id = await pay(stack)
    pid = kill(state, service)
    await asyncio.to_thread(until_healthy, state, service, not_pid=pid)

    payment = await final(stack, payment_id)
    trail = await story(stack, payment_id)

    assert payment["status"] == "COMPLETED"
    assert [(v.name, v.evidence) for v in check(trail) if not v.holds] == []
    assert len([r for r in trail.psp_record if r["kind"] == "charge"]) == 1


HOLD_POINTS = [
    ("payment_svc", "capture.capture.after", "capture"),
    ("payment_svc", "void.void.after", "cancel"),
    ("psp_gateway", "psp.captured", "capture"),
]


@pytest.mark.parametrize(
    ("service", "point", "verb"), HOLD_POINTS, ids=[point for _, point, _ in HOLD_POINTS]
)
async def test_killed_while_holding_it_ends_as_asked(
    state: State, stack: dict[str, Any], service: str, point: str, verb: str
) -> None:
    """Held, then captured or let go, with a death on the way: it happens once, books square."""
    await quiet(stack)
    payment_id = await hold(stack)
    await until(stack, payment_id, "REQUIRES_CAPTURE")
    armed = await arm(state, service, point)

    async with RestClient(stack["edge"]["url"], stack["client"]["api_key"]) as rest:
        assert (await rest.act(payment_id, verb, {})).status == 200
    payment = await final(stack, payment_id)
    trail = await story(stack, payment_id)

    assert restarts(state, service) == armed + 1, "the fault did not strike"
    assert payment["status"] == {"capture": "COMPLETED", "cancel": "CANCELLED"}[verb]
    assert [(v.name, v.evidence) for v in check(trail) if not v.holds] == []
    kinds = [record["kind"] for record in trail.psp_record]
    assert kinds == ["authorization", {"capture": "capture", "cancel": "void"}[verb]]


async def hold(stack: dict[str, Any]) -> str:
    """Send the specification's request, to be captured later."""
    request = specification_request(f"order-{uuid4()}") | {"capture_method": "MANUAL"}
    async with RestClient(stack["edge"]["url"], stack["client"]["api_key"]) as rest:
        created = await rest.create(request)
    assert created.status == 200, created.body
    return str(created.body["payment_id"])


async def until(stack: dict[str, Any], payment_id: str, status: str) -> None:
    """Wait until a payment has a status, while services come and go."""
    async with (
        asyncio.timeout(DEADLINE_S),
        RestClient(stack["edge"]["url"], stack["client"]["api_key"]) as rest,
    ):
        while True:
            answer = await rest.get(payment_id)
            if answer.status == 200 and answer.body["status"] == status:
                return
            await asyncio.sleep(0.05)
