"""PSPs' webhooks through the edge: the whole way from the PSP to a payment that goes on."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import aiohttp
import grpc
import pytest
from paymesh.psp.v1 import webhook_service_pb2 as service
from paymesh.psp.v1.webhook_service_pb2_grpc import WebhookServiceStub

from devstack.rest import RestClient, specification_request

DEADLINE_S = 60.0


@pytest.fixture
async def inbox(stack: dict[str, Any]) -> AsyncIterator[WebhookServiceStub]:
    """The gateway's own port, as an operator reaches it."""
    target = stack["services"]["psp_gateway"]["grpc"]
    async with grpc.aio.insecure_channel(target) as channel:
        yield WebhookServiceStub(channel)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Somebody without a key of ours."""
    async with aiohttp.ClientSession() as session:
        yield session


async def waiting_payment(rest: RestClient) -> dict[str, Any]:
    """Make a payment whose buyer must authenticate; answer it once it says where."""
    request = specification_request(f"order-{uuid4()}")
    request["credit_card_info"]["token"] = "pm_card_threeDSecure2Required"
    created = await rest.create(request)
    async with asyncio.timeout(DEADLINE_S):
        while True:
            body = (await rest.get(created.body["payment_id"])).body
            if body["status"] == "REQUIRES_ACTION":
                return body
            await asyncio.sleep(0.02)


async def applied(inbox: WebhookServiceStub, reference: str, kind: str) -> service.WebhookEvent:
    """Wait until an event about an object of the PSP has been applied."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            found = await inbox.ListWebhookEvents(service.ListWebhookEventsRequest(page_size=500))
            for event in found.events:
                is_it = (event.reference, event.event_type) == (reference, kind)
                if is_it and event.state == service.WebhookEvent.APPLIED:
                    return event
            await asyncio.sleep(0.05)


async def control(http: aiohttp.ClientSession, stack: dict[str, Any], **switches: Any) -> None:
    """Say how the sandbox sends webhooks."""
    url = stack["psp_sandbox"]["url"] + "/control/webhooks"
    async with http.post(url, json=switches) as answer:
        assert answer.status < 300, await answer.text()


async def test_a_bank_debit_completes_when_the_bank_has_paid(
    rest: RestClient, http: aiohttp.ClientSession, stack: dict[str, Any]
) -> None:
    """It is PROCESSING until the PSP tells, and its method is told; one that is to be held is
    refused.
    """
    request = specification_request(f"order-{uuid4()}") | {"payment_method": "BANK_DEBIT"}
    request["credit_card_info"]["token"] = "pm_usBankAccount_success"
    held = await rest.create(request | {"capture_method": "MANUAL"})
    created = await rest.create(request)
    assert created.status == 200, created.body
    payment_id = created.body["payment_id"]
    async with asyncio.timeout(DEADLINE_S):
        while not await _moved(http, stack, payment_id, "processing"):
            await asyncio.sleep(0.05)
    before = (await rest.get(payment_id)).body

    url = stack["psp_sandbox"]["url"] + "/control/clock"
    async with http.post(url, json={"advance_s": 61}) as answer:
        assert answer.status < 300, await answer.text()

    async with asyncio.timeout(DEADLINE_S):
        while (paid := (await rest.get(payment_id)).body)["status"] == "PROCESSING":
            await asyncio.sleep(0.05)
    assert held.status == 400
    assert "capture_method" in str(held.body)
    assert (before["status"], before["payment_method"]) == ("PROCESSING", "BANK_DEBIT")
    assert paid["status"] == "COMPLETED"
    assert len(await _moved(http, stack, payment_id, "charge")) == 1


async def _moved(
    http: aiohttp.ClientSession, stack: dict[str, Any], payment_id: str, kind: str
) -> list[Any]:
    """List what the PSP did for a payment."""
    url = f"{stack['psp_sandbox']['url']}/control/record"
    query = {"metadata.payment_id": payment_id, "kind": kind}
    async with http.get(url, params=query) as answer:
        return list((await answer.json())["entries"])


async def test_a_payment_goes_on_when_its_buyer_has_authenticated(
    rest: RestClient, inbox: WebhookServiceStub, http: aiohttp.ClientSession, stack: dict[str, Any]
) -> None:
    """The PSP tells, several times and in disorder; the payment completes once."""
    await control(http, stack, copies=3, shuffle=True)
    try:
        waiting = await waiting_payment(rest)
        page = waiting["next_action"]["redirect_url"]
        async with http.post(page, data={"result": "complete"}, allow_redirects=False) as answer:
            assert answer.status < 400
        completed = await rest.until_final(waiting["payment_id"])
        reference = page.rpartition("/")[2]
        event = await applied(inbox, reference, "payment_intent.succeeded")
    finally:
        await control(http, stack)

    assert completed["status"] == "COMPLETED"
    assert (event.psp, event.subject) == ("stripe", "CHARGE")


@pytest.mark.parametrize(
    ("path", "body", "status", "reason"),
    [
        ("stripe", b"{}", 400, "INVALID_FIELD"),
        ("stripe", b"\x00\xff not json", 400, "INVALID_FIELD"),
        ("stripe", b"", 400, "INVALID_FIELD"),
        ("square", b"{}", 400, "INVALID_FIELD"),
        ("stripe?x=1", b"{}", 400, "MALFORMED_REQUEST"),
        ("stripe/more", b"{}", 401, "CREDENTIALS_MISSING"),
        ("stripe", b"x" * 300_000, 413, "REQUEST_TOO_LARGE"),
    ],
)
async def test_what_no_psp_has_signed_is_refused(
    http: aiohttp.ClientSession,
    stack: dict[str, Any],
    path: str,
    body: bytes,
    status: int,
    reason: str,
) -> None:
    """Each in the shape of every other error, and nothing is said of why."""
    headers = {"Stripe-Signature": f"t=1,v1={'0' * 64}", "Content-Type": "application/json"}
    url = f"{stack['edge']['url']}/v1/webhooks/{path}"
    async with http.post(url, data=body, headers=headers) as answer:
        told = await answer.json()

    assert (answer.status, told["details"][0]["reason"]) == (status, reason)


async def test_the_inbox_is_not_for_everybody(stack: dict[str, Any]) -> None:
    """The edge has no way to the list of events."""
    target = stack["edge"]["url"].removeprefix("http://")
    async with grpc.aio.insecure_channel(target) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await WebhookServiceStub(channel).ListWebhookEvents(service.ListWebhookEventsRequest())

    assert raised.value.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.NOT_FOUND)
