"""Adyen's webhooks at the gateway, over the sandbox and a real PostgreSQL: what they end, what they
contradict, and of what they say nothing.
"""

import json
from collections.abc import AsyncIterator

import pytest
from paymesh.psp.v1 import attempt_pb2 as noun
from paymesh.psp.v1 import webhook_service_pb2 as service

from tests.contract.adyen_gateway import TOKEN, item, newest, rested, stands, tell, with_adyen
from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.sandbox import Gateway, Sandbox, capture


@pytest.fixture
async def gateway(psp_database: ServiceDatabase, sandbox: Sandbox) -> AsyncIterator[Gateway]:
    """Serve the gateway with Adyen beside Stripe."""
    async with with_adyen(psp_database, sandbox) as started:
        yield started


async def test_a_stored_error_waits_for_the_webhook(gateway: Gateway) -> None:
    """Its key answers with the error for ever; the event says that the money was taken."""
    made = (await gateway.charge(payment_token="adyen:s:adyen_ioexception_charged")).attempt
    assert made.outcome == noun.Attempt.UNKNOWN

    answer = await tell(gateway, item("AUTHORISATION", ours="att_1", reference="8815000000000001"))

    found = await stands(gateway, noun.Attempt.CHARGE)
    assert answer == b"[accepted]"
    assert (found.outcome, found.psp_reference) == (noun.Attempt.SUCCEEDED, "8815000000000001")


async def test_an_event_of_another_amount_is_not_believed(gateway: Gateway) -> None:
    """It was signed, and is still not what was asked for."""
    await gateway.charge(payment_token="adyen:s:adyen_ioexception_charged")
    amount = {"value": 1, "currency": "USD"}
    await tell(gateway, item("AUTHORISATION", ours="att_1", reference="881", amount=amount))

    found = await stands(gateway, noun.Attempt.CHARGE)
    assert (found.outcome, found.reason) == (noun.Attempt.UNKNOWN, "AMOUNT_MISMATCH")


async def test_a_capture_is_told_by_its_webhook(gateway: Gateway, sandbox: Sandbox) -> None:
    """It is received, and asked for no more; the event ends it, and a failure later contradicts."""
    held = (await gateway.hold(payment_token=TOKEN)).attempt
    assert (held.kind, held.outcome) == (noun.Attempt.AUTHORIZATION, noun.Attempt.SUCCEEDED)
    assert held.HasField("expires_at")
    taken = (await gateway.captures(capture(amount="60.00")))[0].attempt
    await rested()
    asked_again = (await gateway.captures(capture(amount="60.00")))[0].attempt
    assert (taken.outcome, asked_again.outcome) == (noun.Attempt.PENDING, noun.Attempt.PENDING)
    assert asked_again.request_count == 1

    facts = {
        "ours": "att_capture1",
        "originalReference": held.psp_reference,
        "amount": {"value": 6000, "currency": "USD"},
    }
    await tell(gateway, item("CAPTURE", reference="882", **facts))
    done = await stands(gateway, noun.Attempt.CAPTURE)
    assert (done.outcome, done.psp_reference) == (noun.Attempt.SUCCEEDED, held.psp_reference)

    await tell(gateway, item("CAPTURE_FAILED", reference="882", **facts))
    (event, *_) = (
        await gateway.webhooks.ListWebhookEvents(service.ListWebhookEventsRequest())
    ).events
    assert event.state == service.WebhookEvent.CONTRADICTS
    assert "att_capture1 is SUCCEEDED; the PSP now says DECLINED" in event.note
    assert await sandbox.moved(attempt_id="att_1") == [("authorization", 9999)]


async def test_a_void_and_a_refund_are_told_by_their_webhooks(gateway: Gateway) -> None:
    """Success and failure both end the attempt."""
    held = (await gateway.hold(payment_token=TOKEN)).attempt
    assert (await gateway.void()).attempt.outcome == noun.Attempt.PENDING
    await tell(
        gateway,
        item(
            "CANCELLATION", ours="att_void1", reference="883", originalReference=held.psp_reference
        ),
    )
    assert (await stands(gateway, noun.Attempt.VOID)).outcome == noun.Attempt.SUCCEEDED

    charged = (await gateway.charge(attempt_id="att_2", payment_token=TOKEN)).attempt
    await gateway.refund(charge_attempt_id="att_2")
    await tell(
        gateway,
        item(
            "REFUND_FAILED",
            ours="att_refund1",
            reference="884",
            originalReference=charged.psp_reference,
        ),
    )
    refund = await stands(gateway, noun.Attempt.REFUND)
    assert (refund.outcome, refund.reason, refund.psp_code) == (
        noun.Attempt.DECLINED,
        "PROCESSING_ERROR",
        "REFUND_FAILED",
    )


async def test_what_was_held_is_not_taken_because_it_is_told_late(gateway: Gateway) -> None:
    """The authorization's own event may come after what is held was let go: it is no charge. That
    of a capture is.
    """
    held = (await gateway.hold(payment_token=TOKEN)).attempt
    await gateway.void()
    about = {"ours": "att_void1", "originalReference": held.psp_reference}
    await tell(gateway, item("CANCELLATION", reference="883", **about))
    assert (await stands(gateway, noun.Attempt.VOID)).outcome == noun.Attempt.SUCCEEDED

    await tell(gateway, item("AUTHORISATION", ours="att_1", reference=held.psp_reference))
    event = await newest(gateway)
    assert (event.event_type, event.state) == ("AUTHORISATION", service.WebhookEvent.APPLIED)
    assert len(await gateway.attempts("pay_1")) == 2

    await tell(gateway, item("CAPTURE", reference="884", **about))
    event = await newest(gateway)
    assert (event.event_type, event.state) == ("CAPTURE", service.WebhookEvent.CONTRADICTS)
    assert (await stands(gateway, noun.Attempt.CAPTURE)).outcome == noun.Attempt.SUCCEEDED


async def test_several_items_come_at_once(gateway: Gateway) -> None:
    """Each counts for itself; one that is not signed makes the whole nobody's."""
    await gateway.charge(payment_token="adyen:s:adyen_pending")
    good = item("AUTHORISATION", ours="att_1", reference="885")
    other = item("REPORT_AVAILABLE", ours="report.csv", reference="886")
    forged = json.loads(json.dumps(other))
    forged["NotificationRequestItem"]["merchantReference"] = "else.csv"
    with pytest.raises(Exception, match="is not signed"):
        await tell(gateway, good, forged)
    assert (await stands(gateway, noun.Attempt.CHARGE)).outcome == noun.Attempt.PENDING

    await tell(gateway, good, other)
    listed = await gateway.webhooks.ListWebhookEvents(service.ListWebhookEventsRequest())
    assert sorted(event.subject for event in listed.events) == ["CHARGE", "REPORT"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [("https://ca-test.adyen.com/reports/download/x.csv", True), ("https://evil.example/x", False)],
)
async def test_a_report_is_kept_with_its_name_and_address(
    gateway: Gateway, url: str, shown: bool
) -> None:
    """Both are told by ListWebhookEvents, the address where it is Adyen's; nothing follows it."""
    name = "settlement_detail_report_batch_1.csv"
    await tell(gateway, item("REPORT_AVAILABLE", ours="", reference=name, reason=url))

    listed = await gateway.webhooks.ListWebhookEvents(service.ListWebhookEventsRequest())
    (event,) = listed.events
    assert (event.subject, event.reference, event.state) == ("REPORT", name, event.KEPT)
    assert event.report_url == (url if shown else "")


async def test_the_word_of_one_refund_says_nothing_of_another(gateway: Gateway) -> None:
    """Two of one amount wait: each ends as it is told of itself, and a refund that somebody else
    made ends neither.
    """
    charged = (await gateway.charge(payment_token=TOKEN)).attempt
    for name in ("att_first", "att_second"):
        await gateway.refund(attempt_id=name, amount="5.00")
    facts = {
        "originalReference": charged.psp_reference,
        "amount": {"value": 500, "currency": "USD"},
    }

    async def refunds() -> list["noun.Attempt.Outcome"]:
        found = await gateway.attempts("pay_1")
        return [a.outcome for a in found if a.kind == noun.Attempt.REFUND]

    await tell(gateway, item("REFUND", ours="att_1", reference="890", **facts))
    assert await refunds() == [noun.Attempt.PENDING, noun.Attempt.PENDING]

    await tell(gateway, item("REFUND", ours="att_first", reference="891", **facts))
    assert await refunds() == [noun.Attempt.SUCCEEDED, noun.Attempt.PENDING]

    await tell(gateway, item("REFUND_FAILED", ours="att_second", reference="892", **facts))
    assert await refunds() == [noun.Attempt.SUCCEEDED, noun.Attempt.DECLINED]
    assert (await newest(gateway)).state == service.WebhookEvent.APPLIED


async def test_the_word_of_one_capture_says_nothing_of_another(gateway: Gateway) -> None:
    """The first of two parts is told; the second waits for its own word."""
    held = (await gateway.hold(payment_token=TOKEN)).attempt
    await gateway.capture(attempt_id="att_first", amount="10.00", is_final=False)
    await gateway.capture(attempt_id="att_second", amount="20.00", is_final=False)
    facts = {"originalReference": held.psp_reference}
    small, large = ({"value": value, "currency": "USD"} for value in (1000, 2000))

    await tell(gateway, item("CAPTURE", ours="att_first", reference="891", amount=small, **facts))
    first, second = (await gateway.attempts("pay_1"))[1:]
    assert (first.outcome, second.outcome) == (noun.Attempt.SUCCEEDED, noun.Attempt.PENDING)

    await tell(gateway, item("CAPTURE", ours="att_second", reference="892", amount=large, **facts))
    assert (await gateway.attempts("pay_1"))[2].outcome == noun.Attempt.SUCCEEDED


async def test_a_capture_that_is_told_late_is_kept_once(gateway: Gateway) -> None:
    """It was refused and what is held let go of: the late charge is the capture's, not the void's
    too.
    """
    held = (await gateway.hold(payment_token=TOKEN)).attempt
    facts = {"originalReference": held.psp_reference}
    await gateway.capture()
    no = item("CAPTURE", ours="att_capture1", reference="891", success="false", **facts)
    await tell(gateway, no)
    await gateway.void()
    await tell(gateway, item("CANCELLATION", ours="att_void1", reference="892", **facts))

    await tell(gateway, item("CAPTURE", ours="att_capture1", reference="891", **facts))

    found = [a.attempt_id for a in await gateway.attempts("pay_1")]
    assert found == ["att_1", "att_capture1", "att_void1", "att_capture1l1"]


async def test_an_amount_out_of_all_bounds_keeps_no_other_event_back(gateway: Gateway) -> None:
    """A dispute of it is for a person; what came with it is applied."""
    charged = (await gateway.charge(payment_token=TOKEN)).attempt
    await gateway.charge(attempt_id="att_2", payment_token="adyen:s:adyen_pending")
    much = {"value": 10**18 - 1, "currency": "JPY"}
    facts = {"originalReference": charged.psp_reference, "amount": much}

    await tell(
        gateway,
        item("CHARGEBACK", ours="att_1", reference="771", **facts),
        item("AUTHORISATION", ours="att_2", reference="885"),
    )

    found = await gateway.webhooks.ListWebhookEvents(service.ListWebhookEventsRequest())
    states = {event.event_type: event.state for event in found.events}
    assert states == {
        "CHARGEBACK": service.WebhookEvent.CONTRADICTS,
        "AUTHORISATION": service.WebhookEvent.APPLIED,
    }
    assert (await gateway.attempts("pay_1"))[1].outcome == noun.Attempt.SUCCEEDED
