"""Disputes at PayPal over the gateway's RPC, the sandbox's webhooks and a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from paymesh.psp.v1 import attempt_pb2 as noun
from paymesh.psp.v1 import dispute_service_pb2 as service

from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.relay import World, running_world
from tests.unit.psp_gateway.sandbox import DEADLINE_S, Gateway, Sandbox

DISPUTE, ASKED = service.Dispute, service.DisputeRequest
REASON = "MERCHANDISE_OR_SERVICE_NOT_RECEIVED"


@pytest.fixture
async def world(psp_database: ServiceDatabase, tmp_path: Path) -> AsyncIterator[World]:
    """Run the gateway, and the sandbox, which tells what happens."""
    async with running_world(psp_database, tmp_path) as started:
        yield started


@pytest.fixture
def sandbox(world: World) -> Sandbox:
    """The sandbox."""
    return world.sandbox


@pytest.fixture
def gateway(world: World) -> Gateway:
    """The gateway, which is told."""
    return world.gateway


async def until(
    gateway: Gateway, holds: Callable[[service.Dispute], bool] = bool
) -> service.Dispute:
    """Wait until the payment's dispute is as it should be."""
    request = service.ListDisputesRequest(payment_id="pay_1", psp="paypal")
    async with asyncio.timeout(DEADLINE_S):
        while True:
            listed = await gateway.disputes.ListDisputes(request, timeout=DEADLINE_S)
            for found in filter(holds, listed.disputes):
                dispute: service.Dispute = found
                return dispute
            await asyncio.sleep(0.05)


async def disputed(gateway: Gateway, sandbox: Sandbox) -> service.Dispute:
    """Make a charge, and let its buyer dispute it."""
    attempt = await gateway.settled(payment_token="paypal:card:any_card")
    assert (attempt.psp, attempt.outcome) == ("paypal", noun.Attempt.SUCCEEDED)
    await sandbox.dispute("paypal", attempt.psp_reference, reason=REASON)
    return await until(gateway, lambda found: True)


async def submit(gateway: Gateway, dispute_id: str, **fields: Any) -> service.DisputeRequest:
    """Hand evidence in."""
    request = service.SubmitEvidenceRequest(
        dispute_id=dispute_id,
        request_id="request_1",
        texts={"shipping_tracking_number": "1Z999", "uncategorized_text": "We sent it."},
        **fields,
    )
    answer = await gateway.disputes.SubmitEvidence(request, timeout=DEADLINE_S)
    asked: service.DisputeRequest = answer.request
    return asked


async def test_a_dispute_goes_to_its_end(gateway: Gateway, sandbox: Sandbox) -> None:
    """Opened with the money held, answered with a parcel's number and a document, won."""
    found = await disputed(gateway, sandbox)
    assert (found.attempt_id, found.amount, found.currency) == ("att_1", "99.99", "USD")
    assert (found.reason, found.psp_code) == (DISPUTE.NOT_RECEIVED, REASON)
    assert (found.stage, found.status) == (DISPUTE.CHARGEBACK, DISPUTE.NEEDS_RESPONSE)
    assert found.is_money_withdrawn

    document = service.EvidenceFile(
        kind="receipt", name="a.b.pdf", content_type="application/pdf", content=b"%PDF-1.7"
    )
    asked = await submit(gateway, found.dispute_id, files=[document])
    assert asked.outcome == ASKED.SUCCEEDED
    await until(gateway, lambda found: found.status == DISPUTE.UNDER_REVIEW)

    await sandbox.dispute("paypal", found.psp_reference, step="RESOLVED_SELLER_FAVOUR")
    won = await until(gateway, lambda found: found.status == DISPUTE.WON)
    assert not won.is_money_withdrawn


async def test_an_appeal_opens_it_again(gateway: Gateway, sandbox: Sandbox) -> None:
    """PayPal hears appeals: lost is not the end, and a higher stage may follow."""
    found = await disputed(gateway, sandbox)
    for step, status in (
        ("RESOLVED_BUYER_FAVOUR", DISPUTE.LOST),
        ("UNDER_REVIEW", DISPUTE.UNDER_REVIEW),
        ("PRE_ARBITRATION", DISPUTE.NEEDS_RESPONSE),
    ):
        await sandbox.dispute("paypal", found.psp_reference, step=step)
        found = await until(gateway, lambda found, status=status: found.status == status)

    assert found.stage == DISPUTE.PRE_ARBITRATION


async def test_evidence_of_unknown_end_is_looked_up(gateway: Gateway, sandbox: Sandbox) -> None:
    """PayPal lists what was handed in, so that it is not handed in twice."""
    found = await disputed(gateway, sandbox)
    await sandbox.fault("connection_reset_after", match={"operation": "provide_evidence"})

    first = await submit(gateway, found.dispute_id)
    again = await submit(gateway, found.dispute_id)

    assert (first.outcome, again.outcome) == (ASKED.UNKNOWN, ASKED.SUCCEEDED)


async def test_an_accepted_claim_is_given_up(gateway: Gateway, sandbox: Sandbox) -> None:
    """The buyer keeps the money."""
    found = await disputed(gateway, sandbox)
    request = service.AcceptDisputeRequest(dispute_id=found.dispute_id, request_id="request_1")

    answer = await gateway.disputes.AcceptDispute(request, timeout=DEADLINE_S)

    assert answer.request.outcome == ASKED.SUCCEEDED
    assert answer.dispute.status == DISPUTE.ACCEPTED
    assert answer.dispute.is_money_withdrawn
