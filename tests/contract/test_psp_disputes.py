"""Disputes at Stripe over the gateway's RPC, the sandbox's webhooks and a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from paymesh.psp.v1 import attempt_pb2 as noun
from paymesh.psp.v1 import dispute_service_pb2 as service
from paymesh.psp.v1 import webhook_service_pb2 as inbox

from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.relay import World, running_world
from tests.unit.psp_gateway.sandbox import DEADLINE_S, SECRET_KEY, Gateway, Sandbox

DISPUTE, ASKED = service.Dispute, service.DisputeRequest
DISPUTED = "pm_card_createDispute"


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
    gateway: Gateway, holds: Callable[[service.Dispute], bool], payment_id: str = "pay_1"
) -> service.Dispute:
    """Wait until a payment has a dispute that stands so; give it with its history."""
    request = service.ListDisputesRequest(payment_id=payment_id)
    async with asyncio.timeout(DEADLINE_S):
        while True:
            listed = await gateway.disputes.ListDisputes(request, timeout=DEADLINE_S)
            for found in filter(holds, listed.disputes):
                asked = service.GetDisputeRequest(dispute_id=found.dispute_id)
                answer = await gateway.disputes.GetDispute(asked, timeout=DEADLINE_S)
                whole: service.Dispute = answer.dispute
                return whole
            await asyncio.sleep(0.05)


def stands(status: int, *, withdrawn: bool) -> Callable[[service.Dispute], bool]:
    """Tell how a dispute is to stand."""
    return lambda found: (found.status, found.is_money_withdrawn) == (status, withdrawn)


async def disputed(gateway: Gateway, token: str = DISPUTED) -> service.Dispute:
    """Make a charge that is disputed at once."""
    attempt = await gateway.settled(payment_token=token)
    assert attempt.outcome == noun.Attempt.SUCCEEDED
    return await until(gateway, lambda found: True)


async def submit(
    gateway: Gateway, dispute_id: str, request_id: str = "request_1", **fields: Any
) -> service.SubmitEvidenceResponse:
    """Hand evidence in."""
    fields.setdefault("texts", {"uncategorized_text": "winning_evidence"})
    request = service.SubmitEvidenceRequest(dispute_id=dispute_id, request_id=request_id, **fields)
    answer: service.SubmitEvidenceResponse = await gateway.disputes.SubmitEvidence(
        request, timeout=DEADLINE_S
    )
    return answer


async def accept(
    gateway: Gateway, dispute_id: str, request_id: str = "request_1"
) -> service.AcceptDisputeResponse:
    """Give a dispute up."""
    request = service.AcceptDisputeRequest(dispute_id=dispute_id, request_id=request_id)
    answer: service.AcceptDisputeResponse = await gateway.disputes.AcceptDispute(
        request, timeout=DEADLINE_S
    )
    return answer


async def test_a_chargeback_is_followed_from_its_first_event(gateway: Gateway) -> None:
    """It is known with its charge, amount, reason, deadline and the money that is gone."""
    found = await disputed(gateway)

    assert (found.psp, found.attempt_id, found.payment_id) == ("stripe", "att_1", "pay_1")
    assert (found.amount, found.currency) == ("99.99", "USD")
    assert (found.reason, found.psp_code) == (DISPUTE.FRAUD, "fraudulent")
    assert (found.stage, found.status) == (DISPUTE.CHARGEBACK, DISPUTE.NEEDS_RESPONSE)
    assert found.is_money_withdrawn
    days = found.evidence_due_at.ToDatetime() - found.opened_at.ToDatetime()
    assert days.days == 9
    assert found.history[0].source == service.DisputeFact.READ


async def test_evidence_that_wins_brings_the_money_back(gateway: Gateway, sandbox: Sandbox) -> None:
    """Texts and a document are handed in once, and the dispute is won."""
    found = await disputed(gateway)
    document = service.EvidenceFile(
        kind="receipt", name="receipt.pdf", content_type="application/pdf", content=b"%PDF-1.7"
    )

    first = await submit(gateway, found.dispute_id, files=[document])
    again = await submit(gateway, found.dispute_id, files=[document])

    assert first.request.outcome == again.request.outcome == ASKED.SUCCEEDED
    assert first.dispute.status == DISPUTE.WON
    won = await until(gateway, stands(DISPUTE.WON, withdrawn=False))
    assert "SUBMIT" in [fact.code for fact in won.history]
    assert await sandbox.moved(payment_id="pay_1") == [
        ("charge", 9999),
        ("dispute_withdrawn", 9999),
        ("dispute_reinstated", 9999),
    ]


async def test_one_request_id_is_one_request(gateway: Gateway) -> None:
    """With other content it is refused, and so is another one once the dispute is not open."""
    found = await disputed(gateway)
    await submit(gateway, found.dispute_id, texts={"uncategorized_text": "We sent it."})

    with pytest.raises(grpc.aio.AioRpcError) as reused:
        await submit(gateway, found.dispute_id)
    with pytest.raises(grpc.aio.AioRpcError) as late:
        await submit(gateway, found.dispute_id, "request_2")

    for refused in (reused, late):
        assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "with other content" in str(reused.value.details())
    assert "UNDER_REVIEW" in str(late.value.details())


@pytest.mark.parametrize("fault", ["connection_reset_after", "error_after", "malformed"])
async def test_evidence_of_unknown_end_is_looked_up(
    gateway: Gateway, sandbox: Sandbox, fault: str
) -> None:
    """Told as unknown, then found handed in: it is not handed in twice."""
    found = await disputed(gateway)
    await sandbox.fault(fault, match={"operation": "update_dispute"})
    texts = {"uncategorized_text": "We sent it."}

    first = await submit(gateway, found.dispute_id, texts=texts)
    again = await submit(gateway, found.dispute_id, texts=texts)

    assert (first.request.outcome, again.request.outcome) == (ASKED.UNKNOWN, ASKED.SUCCEEDED)
    assert again.dispute.status == DISPUTE.UNDER_REVIEW


async def test_what_may_have_arrived_keeps_others_out(gateway: Gateway, sandbox: Sandbox) -> None:
    """While the end of one answer is not known another is refused."""
    found = await disputed(gateway)
    await sandbox.fault("error_before", match={"operation": "update_dispute"})
    first = await submit(gateway, found.dispute_id)

    with pytest.raises(grpc.aio.AioRpcError) as busy:
        await accept(gateway, found.dispute_id, "request_2")

    assert first.request.outcome == ASKED.UNKNOWN
    assert "request_1" in str(busy.value.details())


async def test_an_error_that_stripe_repeats_is_left_behind(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    """Stripe keeps a 500 under its key: once the dispute shows that nothing came of it, the same
    request goes under another.
    """
    found = await disputed(gateway)
    await sandbox.fault("error_before", match={"operation": "update_dispute"})

    outcomes = [(await submit(gateway, found.dispute_id)).request.outcome for _ in range(3)]

    assert outcomes == [ASKED.UNKNOWN, ASKED.TRANSIENT, ASKED.SUCCEEDED]
    await until(gateway, stands(DISPUTE.WON, withdrawn=False))


async def test_an_upload_that_fails_has_done_nothing(gateway: Gateway, sandbox: Sandbox) -> None:
    """Until the evidence itself is sent it can be sent again, or given up."""
    found = await disputed(gateway)
    await sandbox.fault("connection_reset_after", match={"operation": "upload"})
    document = service.EvidenceFile(
        kind="receipt", name="receipt.pdf", content_type="application/pdf", content=b"%PDF-1.7"
    )

    first = await submit(gateway, found.dispute_id, files=[document])
    given_up = await accept(gateway, found.dispute_id, "request_2")

    assert first.request.outcome == ASKED.TRANSIENT
    assert given_up.request.outcome == ASKED.SUCCEEDED


async def test_a_silent_psp_is_told_as_transient(gateway: Gateway, sandbox: Sandbox) -> None:
    """Nothing is sent to a dispute that could not be looked at."""
    found = await disputed(gateway)
    await sandbox.dark(dark=True)
    first = await submit(gateway, found.dispute_id)
    await sandbox.dark(dark=False)
    again = await submit(gateway, found.dispute_id)

    assert (first.request.outcome, again.request.outcome) == (ASKED.TRANSIENT, ASKED.SUCCEEDED)


async def test_a_dispute_that_is_given_up_is_accepted_not_lost(gateway: Gateway) -> None:
    """Stripe says lost; that we gave it up stays known, whatever is told later."""
    found = await disputed(gateway)

    first = await accept(gateway, found.dispute_id)
    again = await accept(gateway, found.dispute_id)

    assert first.request.outcome == again.request.outcome == ASKED.SUCCEEDED
    assert again.dispute.status == DISPUTE.ACCEPTED
    accepted = await until(gateway, stands(DISPUTE.ACCEPTED, withdrawn=True))
    assert [fact.code for fact in accepted.history if fact.status == DISPUTE.ACCEPTED] == ["ACCEPT"]


async def test_an_inquiry_takes_no_money_until_it_escalates(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    """It needs a response, then becomes a chargeback with the same id, and is lost."""
    found = await disputed(gateway, "pm_card_createDisputeInquiry")
    assert (found.stage, found.is_money_withdrawn) == (DISPUTE.INQUIRY, False)

    await submit(
        gateway, found.dispute_id, texts={"uncategorized_text": "escalate_inquiry_evidence"}
    )
    taken = await until(gateway, stands(DISPUTE.NEEDS_RESPONSE, withdrawn=True))
    await sandbox.dispute("stripe", found.psp_reference, step="lost")
    lost = await until(gateway, stands(DISPUTE.LOST, withdrawn=True))

    assert (taken.dispute_id, taken.stage) == (found.dispute_id, DISPUTE.CHARGEBACK)
    assert lost.dispute_id == found.dispute_id


async def test_events_in_disorder_and_several_times_change_nothing(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    """Held back, then sent at once in disorder and twice: the dispute ends as Stripe has it."""
    await sandbox.webhooks(hold=True)
    attempt = await gateway.settled(payment_token=DISPUTED)
    for step in ("under_review", "lost", "won"):
        await sandbox.dispute("stripe", attempt.psp_reference, step=step)
    await sandbox.webhooks(copies=2, shuffle=True)

    won = await until(gateway, stands(DISPUTE.WON, withdrawn=False))

    async with asyncio.timeout(DEADLINE_S):
        while await waiting(gateway):
            await asyncio.sleep(0.05)
    again = await until(gateway, lambda found: True)
    assert again == won


async def waiting(gateway: Gateway) -> bool:
    """Tell whether an event is still to be looked at."""
    request = inbox.ListWebhookEventsRequest(psp="stripe", state=inbox.WebhookEvent.NEW)
    answer = await gateway.webhooks.ListWebhookEvents(request, timeout=DEADLINE_S)
    return bool(answer.events)


async def test_a_dispute_of_an_unknown_charge_waits_for_it(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    """The charge is another's: its events are parked and shown, and make no dispute."""
    headers = {"Authorization": f"Bearer {SECRET_KEY}"}
    form = {"amount": "500", "currency": "usd", "payment_method": DISPUTED, "confirm": "true"}
    url = f"{sandbox.url}/stripe/v1/payment_intents"
    async with sandbox.session.post(url, data=form, headers=headers) as response:
        assert response.status == 200
    request = inbox.ListWebhookEventsRequest(psp="stripe", state=inbox.WebhookEvent.PARKED)

    async with asyncio.timeout(DEADLINE_S):
        while True:
            answer = await gateway.webhooks.ListWebhookEvents(request, timeout=DEADLINE_S)
            parked = [event for event in answer.events if event.subject == "DISPUTE"]
            if parked:
                break
            await asyncio.sleep(0.05)

    listed = await gateway.disputes.ListDisputes(service.ListDisputesRequest(), timeout=DEADLINE_S)
    assert not listed.disputes
    assert parked[0].HasField("due_at")


async def test_of_many_who_answer_at_once_one_does(gateway: Gateway) -> None:
    """The same request joins itself; all others are kept out, or come too late."""
    found = await disputed(gateway)
    calls = [submit(gateway, found.dispute_id, f"request_{number % 4}") for number in range(12)]

    answers = await asyncio.gather(*calls, return_exceptions=True)

    taken = {
        one.request.request_id
        for one in answers
        if not isinstance(one, BaseException) and one.request.outcome == ASKED.SUCCEEDED
    }
    refused = [one for one in answers if isinstance(one, grpc.aio.AioRpcError)]
    assert len(taken) == 1
    assert {one.code() for one in refused} == {grpc.StatusCode.FAILED_PRECONDITION}
    won = await until(gateway, stands(DISPUTE.WON, withdrawn=False))
    assert [fact.code for fact in won.history].count("SUBMIT") <= 1


async def test_disputes_are_listed_by_page(gateway: Gateway) -> None:
    """The newest first, each once, by what they are filtered by."""
    for number in ("1", "2", "3"):
        await gateway.settled(
            attempt_id=f"att_{number}", payment_id=f"pay_{number}", payment_token=DISPUTED
        )
        await until(gateway, lambda found: True, f"pay_{number}")
    seen: list[str] = []
    token = ""
    while True:
        request = service.ListDisputesRequest(
            psp="stripe", status=DISPUTE.NEEDS_RESPONSE, page_size=2, page_token=token
        )
        page = await gateway.disputes.ListDisputes(request, timeout=DEADLINE_S)
        seen += [found.payment_id for found in page.disputes]
        token = page.next_page_token
        if not token:
            break

    assert seen == ["pay_3", "pay_2", "pay_1"]
    none = service.ListDisputesRequest(status=DISPUTE.WON)
    assert not (await gateway.disputes.ListDisputes(none, timeout=DEADLINE_S)).disputes


async def test_a_dispute_that_is_not_there_is_told(gateway: Gateway) -> None:
    """Neither read nor answered."""
    request = service.GetDisputeRequest(dispute_id="dsp_0")
    for call in (gateway.disputes.GetDispute(request), accept(gateway, "dsp_0")):
        with pytest.raises(grpc.aio.AioRpcError) as missing:
            await call
        assert missing.value.code() == grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("token", ["dsp_", "dsp_\0", "dsp_é", "pay_1", "dsp_1\n"])
async def test_a_page_token_that_was_never_given_is_refused(gateway: Gateway, token: str) -> None:
    """Whatever is in it."""
    request = service.ListDisputesRequest(page_token=token)
    with pytest.raises(grpc.aio.AioRpcError, match="page_token: is none that was given") as refused:
        await gateway.disputes.ListDisputes(request, timeout=DEADLINE_S)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
