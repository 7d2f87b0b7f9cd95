"""Disputes at Adyen over the gateway's RPC, the sandbox's notifications and a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from paymesh.psp.v1 import attempt_pb2 as noun
from paymesh.psp.v1 import dispute_service_pb2 as service

from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.relay import World, running_world
from tests.unit.psp_gateway.sandbox import DEADLINE_S, Gateway, Sandbox

DISPUTE, ASKED = service.Dispute, service.DisputeRequest
DISPUTED = "adyen:shopper_1:adyen_chargeback"
DOCUMENT = service.EvidenceFile(
    kind="receipt", name="receipt.pdf", content_type="application/pdf", content=b"%PDF-1.7"
)
NOTE = service.EvidenceFile(
    kind="receipt", name="a.txt", content_type="text/plain", content=b"paid"
)


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


async def until(gateway: Gateway, status: int, *, withdrawn: bool) -> service.Dispute:
    """Wait until the payment's dispute stands so; give it with its history."""
    return await until_it(
        gateway, lambda found: (found.status, found.is_money_withdrawn) == (status, withdrawn)
    )


async def until_it(gateway: Gateway, holds: Callable[[service.Dispute], bool]) -> service.Dispute:
    """Wait until the payment's dispute is as it should be; give it with its history."""
    request = service.ListDisputesRequest(payment_id="pay_1", psp="adyen")
    async with asyncio.timeout(DEADLINE_S):
        while True:
            listed = await gateway.disputes.ListDisputes(request, timeout=DEADLINE_S)
            for found in filter(holds, listed.disputes):
                asked = service.GetDisputeRequest(dispute_id=found.dispute_id)
                answer = await gateway.disputes.GetDispute(asked, timeout=DEADLINE_S)
                whole: service.Dispute = answer.dispute
                return whole
            await asyncio.sleep(0.05)


async def disputed(gateway: Gateway) -> service.Dispute:
    """Make a payment that is charged back at once."""
    attempt = await gateway.settled(payment_token=DISPUTED)
    assert (attempt.psp, attempt.outcome) == ("adyen", noun.Attempt.SUCCEEDED)
    return await until(gateway, DISPUTE.NEEDS_RESPONSE, withdrawn=True)


async def submit(
    gateway: Gateway, dispute_id: str, request_id: str = "request_1", **fields: Any
) -> service.SubmitEvidenceResponse:
    """Hand evidence in."""
    fields.setdefault("files", [DOCUMENT])
    fields.setdefault("defence", "SupplyDefenseMaterial")
    request = service.SubmitEvidenceRequest(dispute_id=dispute_id, request_id=request_id, **fields)
    answer: service.SubmitEvidenceResponse = await gateway.disputes.SubmitEvidence(
        request, timeout=DEADLINE_S
    )
    return answer


async def test_a_chargeback_is_taken_at_its_signed_word(gateway: Gateway) -> None:
    """Amount and charge are signed; the reason and the deadline come along."""
    found = await disputed(gateway)

    assert (found.attempt_id, found.amount, found.currency) == ("att_1", "99.99", "USD")
    assert (found.stage, found.reason, found.psp_code) == (
        DISPUTE.CHARGEBACK,
        DISPUTE.FRAUD,
        "10.4",
    )
    assert found.HasField("evidence_due_at")
    codes = {fact.code for fact in found.history}
    assert "CHARGEBACK" in codes


async def test_a_defence_that_wins_may_be_followed_by_a_second_chargeback(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    """Handed in, won with the money back, then lost again: Adyen's own course."""
    found = await disputed(gateway)

    handed_in = await submit(gateway, found.dispute_id)
    assert handed_in.request.outcome == ASKED.SUCCEEDED
    assert handed_in.dispute.status == DISPUTE.UNDER_REVIEW
    await sandbox.dispute("adyen", found.psp_reference, step="CHARGEBACK_REVERSED")
    await until(gateway, DISPUTE.WON, withdrawn=False)
    await sandbox.dispute("adyen", found.psp_reference, step="SECOND_CHARGEBACK")
    await until(gateway, DISPUTE.LOST, withdrawn=True)

    assert [kind for kind, _ in await sandbox.moved(payment_id="pay_1")] == [
        "charge",
        "dispute_withdrawn",
        "dispute_reinstated",
        "dispute_withdrawn",
    ]


async def test_words_in_disorder_end_the_same(gateway: Gateway, sandbox: Sandbox) -> None:
    """All words of a dispute at once, in disorder and twice: the last in its course counts."""
    await sandbox.webhooks(hold=True)
    attempt = await gateway.settled(payment_token="adyen:shopper_1:any_card")
    await sandbox.dispute("adyen", attempt.psp_reference, step="REQUEST_FOR_INFORMATION")
    async with asyncio.timeout(DEADLINE_S):
        while True:  # its id is in the record alone, since nothing has been told yet
            async with sandbox.session.get(
                f"{sandbox.url}/control/record", params={"kind": "dispute_told"}
            ) as response:
                entries = (await response.json())["entries"]
            if entries:
                break
    for step in ("CHARGEBACK", "CHARGEBACK_REVERSED", "SECOND_CHARGEBACK", "PREARBITRATION_WON"):
        await sandbox.dispute("adyen", entries[0]["reference"], step=step)
    await sandbox.webhooks(copies=2, shuffle=True)

    won = await until_it(gateway, lambda found: found.status == DISPUTE.WON)
    whole = await until_it(
        gateway, lambda found: found.stage == DISPUTE.PRE_ARBITRATION and found.status == won.status
    )

    assert not whole.is_money_withdrawn


async def test_adyen_says_which_defences_it_takes(gateway: Gateway) -> None:
    """Without a name, or with a wrong one, nothing is handed in and the names are told."""
    found = await disputed(gateway)

    unnamed = await submit(gateway, found.dispute_id, defence="")
    unclear = await submit(gateway, found.dispute_id, "request_2", defence="GoodsNotReturned")

    assert unnamed.request.outcome == unclear.request.outcome == ASKED.DECLINED
    assert unnamed.request.psp_code.endswith("GoodsNotReturned,SupplyDefenseMaterial")
    assert unclear.request.psp_code.endswith("GoodsNotReturned,TIDorInvoice")
    assert unclear.dispute.status == DISPUTE.NEEDS_RESPONSE


@pytest.mark.parametrize(
    "refused",
    [
        {"texts": {"uncategorized_text": "We sent it."}},
        {"files": [NOTE]},
    ],
)
async def test_what_adyen_takes_none_of_is_refused(
    gateway: Gateway, refused: dict[str, Any]
) -> None:
    """Texts, and files that are no documents, are refused before anything is sent."""
    found = await disputed(gateway)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await submit(gateway, found.dispute_id, **refused)

    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "Adyen takes" in str(caught.value.details())


async def test_a_defence_of_unknown_end_goes_under_the_same_key(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    """The answer was lost and Adyen has told nothing: it answers the key as it did before."""
    found = await disputed(gateway)
    await sandbox.webhooks(hold=True)
    await sandbox.fault("connection_reset_after", match={"operation": "submit_evidence"})

    first = await submit(gateway, found.dispute_id)
    again = await submit(gateway, found.dispute_id)

    assert (first.request.outcome, again.request.outcome) == (ASKED.UNKNOWN, ASKED.SUCCEEDED)
    assert again.dispute.status == DISPUTE.UNDER_REVIEW


async def test_what_adyen_tells_settles_a_request_of_unknown_end(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    """Without the key too, once Adyen has told that the defence was supplied."""
    found = await disputed(gateway)
    await sandbox.fault("connection_reset_after", match={"operation": "submit_evidence"})
    await submit(gateway, found.dispute_id)
    await until(gateway, DISPUTE.UNDER_REVIEW, withdrawn=True)
    await sandbox.dark(dark=True)

    again = await submit(gateway, found.dispute_id)

    assert again.request.outcome == ASKED.SUCCEEDED


async def test_a_dispute_that_is_given_up_stays_so(gateway: Gateway) -> None:
    """Adyen tells that the time to defend is over; we know that we gave it up."""
    found = await disputed(gateway)
    request = service.AcceptDisputeRequest(dispute_id=found.dispute_id, request_id="request_1")

    answer = await gateway.disputes.AcceptDispute(request, timeout=DEADLINE_S)

    assert answer.request.outcome == ASKED.SUCCEEDED
    ended = await until_it(
        gateway,
        lambda found: found.status == DISPUTE.ACCEPTED,
    )
    assert ended.is_money_withdrawn
