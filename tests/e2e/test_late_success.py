"""A card that was declined and then charged: the whole way from the PSP's word to the refund."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from paymesh.payment.v1 import case_pb2
from paymesh.payment.v1 import operations_service_pb2 as operations

from devstack.rest import RestClient, specification_request
from devstack.trail import Operator

DEADLINE_S = 90.0
LATE = {"kind": "charge_then_refuse", "match": {"psp": "stripe", "operation": "confirm"}}


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Whoever moves the sandbox."""
    async with aiohttp.ClientSession() as session:
        yield session


async def control(
    http: aiohttp.ClientSession, stack: dict[str, Any], path: str, **body: Any
) -> None:
    """Tell the sandbox something."""
    url = f"{stack['psp_sandbox']['url']}/control/{path}"
    async with http.post(url, json=body) as response:
        assert response.status == 200, await response.text()


async def moved(
    http: aiohttp.ClientSession, stack: dict[str, Any], payment_id: str
) -> list[tuple[str, int]]:
    """Read the sandbox's own record of a payment's money."""
    url = f"{stack['psp_sandbox']['url']}/control/record"
    async with http.get(url, params={"metadata.payment_id": payment_id}) as response:
        entries = (await response.json())["entries"]
    return [(entry["kind"], entry["amount"]) for entry in entries if entry["amount"]]


async def nothing() -> None:
    """Do nothing."""


async def failed_and_charged(
    http: aiohttp.ClientSession,
    stack: dict[str, Any],
    rest: RestClient,
    then: Callable[[], Awaitable[None]] = nothing,
) -> str:
    """Make a payment that fails though its card is charged; its webhooks come after that, and after
    `then`.
    """
    await control(http, stack, "webhooks", hold=True)
    try:
        await control(http, stack, "faults", **LATE)
        request = specification_request(f"order-{uuid4()}")
        request["credit_card_info"]["token"] = "pm_card_visa"
        created = await rest.create(request)
        payment = await rest.until_final(created.body["payment_id"], timeout_s=DEADLINE_S)
        assert payment["status"] == "FAILED"
        assert await moved(http, stack, payment["payment_id"]) == [("charge", 9999)]
        await then()
    finally:
        await control(http, stack, "webhooks", hold=False)
    return str(payment["payment_id"])


async def closed(operator: Operator, payment_id: str) -> operations.ExplainPaymentResponse:
    """Explain the payment until its case is closed; then anew, since all witnesses are asked at
    once, and one may have spoken before the end.
    """
    request = operations.ExplainPaymentRequest(payment_id=payment_id)
    async with asyncio.timeout(DEADLINE_S):
        while True:
            told = await operator.payments.ExplainPayment(request)
            if [case.status for case in told.cases] == [case_pb2.Case.CLOSED]:
                return await operator.payments.ExplainPayment(request)
            await asyncio.sleep(0.1)


async def test_what_was_charged_late_is_given_back(
    stack: dict[str, Any], http: aiohttp.ClientSession
) -> None:
    """The buyer has his money again, the books are square, and the story tells all of it; FAILED
    stays FAILED.
    """
    async with (
        RestClient(stack["edge"]["url"], stack["client"]["api_key"]) as rest,
        Operator(stack) as operator,
    ):
        payment_id = await failed_and_charged(http, stack, rest)
        told = await closed(operator, payment_id)
        payment = (await rest.get(payment_id)).body
        case = (
            await operator.payments.GetCase(
                operations.GetCaseRequest(case_id=told.cases[0].case_id)
            )
        ).case

    assert payment["status"] == "FAILED"
    assert [line.kind for line in case.history] == [
        "OPENED", "BOOKED", "GIVEN_BACK", "RELEASED", "CLOSED"
    ]  # fmt: skip
    assert await moved(http, stack, payment_id) == [("charge", 9999), ("refund", 9999)]
    webhooks = [event for event in told.timeline if event.kind == "webhook"]
    assert "CONTRADICTS" in {event.facts["state"] for event in webhooks}
    booked = [e.facts["reference"].split(":")[0] for e in told.timeline if e.kind == "booked"]
    assert booked == ["late", "suspense"]
    assert told.outlook.waits_for == told.outlook.NOTHING  # the case has answered the event
    assert "was charged late by stripe" in told.headline
    assert not told.gaps
