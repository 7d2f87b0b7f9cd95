"""kill -9 at every step of giving a late charge back: given back once, and the case is closed."""

import asyncio
from typing import Any

import aiohttp
import grpc
import pytest
from paymesh.payment.v1 import operations_service_pb2 as operations

from devstack.rest import RestClient
from devstack.state import State
from devstack.trail import Operator
from tests.e2e.test_late_success import closed, failed_and_charged, moved
from tests.faults.test_kill import DEADLINE_S, arm, quiet, restarts

STEPS = ("open_case", "book_charge", "give_back", "book_refund")
POINTS = [f"late_success.{step}.{at}" for step in STEPS for at in ("before", "after", "recorded")]


async def patiently_closed(
    operator: Operator, payment_id: str
) -> operations.ExplainPaymentResponse:
    """Explain the payment until its case is closed, while payment_svc comes and goes."""
    async with asyncio.timeout(2 * DEADLINE_S):
        while True:
            try:
                return await closed(operator, payment_id)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
                await asyncio.sleep(0.1)


@pytest.mark.parametrize("point", POINTS)
async def test_killed_at_a_step_it_is_given_back_once(
    state: State, stack: dict[str, Any], point: str
) -> None:
    """Whichever instant the process dies at, the buyer has his money again, once."""
    armed: list[int] = []

    async def arming() -> None:
        armed.append(await arm(state, "payment_svc", point))

    await quiet(stack)
    async with (
        aiohttp.ClientSession() as http,
        RestClient(stack["edge"]["url"], stack["client"]["api_key"]) as rest,
        Operator(stack) as operator,
    ):
        payment_id = await failed_and_charged(http, stack, rest, arming)
        told = await patiently_closed(operator, payment_id)

        assert restarts(state, "payment_svc") == armed[0] + 1, "the fault did not strike"
        assert await moved(http, stack, payment_id) == [("charge", 9999), ("refund", 9999)]
    kinds = [line.kind for line in told.cases[0].history]
    assert kinds == ["OPENED", "BOOKED", "GIVEN_BACK", "RELEASED", "CLOSED"]
    assert len([event for event in told.timeline if event.kind == "booked"]) == 2
