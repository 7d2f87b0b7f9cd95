"""A dispute at Stripe, from the PSP's webhook through the edge to the bank's decision."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import aiohttp
import grpc
import pytest
from paymesh.psp.v1 import dispute_service_pb2 as service
from paymesh.psp.v1.dispute_service_pb2_grpc import DisputeServiceStub

from devstack.rest import RestClient, specification_request

DEADLINE_S = 60.0
DISPUTE = service.Dispute


@pytest.fixture
async def disputes(stack: dict[str, Any]) -> AsyncIterator[DisputeServiceStub]:
    """The gateway's own port, as an operator reaches it."""
    target = stack["services"]["psp_gateway"]["grpc"]
    async with grpc.aio.insecure_channel(target) as channel:
        yield DisputeServiceStub(channel)


async def control(stack: dict[str, Any], **what: str) -> None:
    """Let a charge be disputed at the sandbox, or its dispute go on."""
    url = stack["psp_sandbox"]["url"] + "/control/disputes"
    async with aiohttp.ClientSession() as http, http.post(url, json=what) as answer:
        assert answer.status < 300, await answer.text()


async def until(
    disputes: Any, payment_id: str, holds: Callable[[service.Dispute], bool]
) -> service.Dispute:
    """Wait until the payment has a dispute that stands so."""
    request = service.ListDisputesRequest(payment_id=payment_id)
    async with asyncio.timeout(DEADLINE_S):
        while True:
            listed = await disputes.ListDisputes(request)
            for found in filter(holds, listed.disputes):
                return found
            await asyncio.sleep(0.05)


async def test_a_dispute_is_opened_answered_and_decided(
    rest: RestClient, disputes: Any, stack: dict[str, Any]
) -> None:
    """The PSP tells of it; it is listed, answered with a file, once, and ends as the bank says."""
    created = await rest.create(specification_request(f"order-{uuid4()}"))
    payment_id = created.body["payment_id"]
    await rest.until_final(payment_id)
    charge = await _charge_of(stack, payment_id)
    await control(stack, psp="stripe", reference=charge, reason="product_not_received")
    opened = await until(disputes, payment_id, lambda found: True)

    document = service.EvidenceFile(
        kind="receipt", name="receipt.pdf", content_type="application/pdf", content=b"%PDF-1.7"
    )
    request = service.SubmitEvidenceRequest(
        dispute_id=opened.dispute_id,
        request_id="request_1",
        texts={"uncategorized_text": "It was delivered."},
        files=[document],
    )
    answers = [await disputes.SubmitEvidence(request) for _ in range(2)]
    await control(stack, psp="stripe", reference=opened.psp_reference, step="lost")
    lost = await until(disputes, payment_id, lambda found: found.status == DISPUTE.LOST)

    assert (opened.status, opened.reason) == (DISPUTE.NEEDS_RESPONSE, DISPUTE.NOT_RECEIVED)
    assert (opened.amount, opened.is_money_withdrawn) == ("99.99", True)
    outcomes = {answer.request.outcome for answer in answers}
    assert outcomes == {service.DisputeRequest.SUCCEEDED}
    assert answers[0].dispute.status == DISPUTE.UNDER_REVIEW
    assert (lost.dispute_id, lost.is_money_withdrawn) == (opened.dispute_id, True)


async def _charge_of(stack: dict[str, Any], payment_id: str) -> str:
    """Name the PSP's charge of a payment, by the PSP's own record."""
    url = f"{stack['psp_sandbox']['url']}/control/record"
    query = {"metadata.payment_id": payment_id, "kind": "charge"}
    async with aiohttp.ClientSession() as http, http.get(url, params=query) as answer:
        (entry,) = (await answer.json())["entries"]
    return str(entry["reference"])
