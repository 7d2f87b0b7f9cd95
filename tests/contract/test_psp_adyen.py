"""Adyen behind the gateway, over the sandbox and a real PostgreSQL: one request charges, its key is
the only question, and webhooks tell the rest.
"""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody
from paymesh.psp.v1 import attempt_pb2 as noun
from paymesh.psp.v1 import psp_gateway_service_pb2
from paymesh.psp.v1 import webhook_service_pb2 as service
from yarl import URL

from tests.contract.test_attempt_resolutions import resolve
from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.sandbox import (
    DEADLINE_S,
    Gateway,
    Sandbox,
    capture,
    running_sandbox,
    served,
)

KEY = "44782def547aaa06c910c43932b1eb0c71fc68d9d0c057550c48ec2acf6ba056"  # pragma: allowlist secret
TOKEN = "adyen:shopper_1:any_card"


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """Run the sandbox."""
    async with running_sandbox(tmp_path) as started:
        yield started


@pytest.fixture
async def gateway(
    request: pytest.FixtureRequest, psp_database: ServiceDatabase, sandbox: Sandbox
) -> AsyncIterator[Gateway]:
    """Serve the gateway with Adyen beside Stripe, and settings that a test may add."""
    settings = {
        "ADYEN_API_KEY": "AQE_canary",  # pragma: allowlist secret
        "ADYEN_API_BASE": f"{sandbox.url}/adyen",
        "ADYEN_MERCHANT_ACCOUNT": "PaymeshDemo",
        "ADYEN_HMAC_KEY": KEY,
        "ADYEN_RETURN_URL": "https://shop.example/back",
        "PSP_INBOX_POLL_S": "0.1",
        **getattr(request, "param", {}),
    }
    async with served(psp_database, sandbox.url, **settings) as started:
        yield started


def item(code: str, *, ours: str, reference: str, **more: Any) -> dict[str, Any]:
    """Make an item of a notification, signed as Adyen does."""
    content = {
        "pspReference": reference,
        "originalReference": "",
        "merchantAccountCode": "PaymeshDemo",
        "merchantReference": ours,
        "amount": {"value": 9999, "currency": "USD"},
        "eventCode": code,
        "success": "true",
        **more,
    }
    names = ("pspReference", "originalReference", "merchantAccountCode", "merchantReference")
    values = [content[name] for name in names]
    values += [content["amount"]["value"], content["amount"]["currency"]]
    values += [content["eventCode"], content["success"]]
    signed = ":".join(map(str, values)).encode()
    mac = hmac.new(bytes.fromhex(KEY), signed, hashlib.sha256).digest()
    signature = base64.b64encode(mac).decode()
    return {"NotificationRequestItem": {**content, "additionalData": {"hmacSignature": signature}}}


async def tell(gateway: Gateway, *items: dict[str, Any]) -> bytes:
    """Send a notification and wait until nothing of the inbox is new."""
    body = json.dumps({"live": "false", "notificationItems": list(items)}).encode()
    request = service.ReceiveWebhookRequest(psp="adyen", raw=HttpBody(data=body))
    answer = await gateway.webhooks.ReceiveWebhook(request, timeout=DEADLINE_S)
    new = service.ListWebhookEventsRequest(state=service.WebhookEvent.NEW)
    async with asyncio.timeout(DEADLINE_S):
        while (await gateway.webhooks.ListWebhookEvents(new)).events:
            await asyncio.sleep(0.02)
    return bytes(answer.data)


async def stands(gateway: Gateway, kind: int) -> noun.Attempt:
    """Read the attempt of a kind as it stands, which asks no PSP."""
    (found,) = [a for a in await gateway.attempts("pay_1") if a.kind == kind]
    return found


async def newest(gateway: Gateway) -> service.WebhookEvent:
    """Read the event that came last."""
    found = await gateway.webhooks.ListWebhookEvents(service.ListWebhookEventsRequest())
    return found.events[0]


async def test_a_charge_succeeds_in_one_request(gateway: Gateway, sandbox: Sandbox) -> None:
    """The token's prefix routes it, and is not sent."""
    made = (await gateway.charge(payment_token=TOKEN)).attempt
    again = (await gateway.charge(payment_token=TOKEN)).attempt

    assert (made.psp, made.outcome, made.request_count) == ("adyen", noun.Attempt.SUCCEEDED, 1)
    assert again.psp_reference == made.psp_reference
    assert await sandbox.moved(attempt_id="att_1") == [("charge", 9999)]


@pytest.mark.parametrize(
    ("token", "reason", "code"),
    [
        ("adyen_refused_12", "INSUFFICIENT_FUNDS", "12"),
        ("adyen_refused_6", "CARD_EXPIRED", "6"),
        ("adyen_refused_20", "SUSPECTED_FRAUD", "20"),
        ("adyen_refused_46", "DO_NOT_RETRY", "46"),
    ],
)
async def test_a_refusal_is_a_decline(
    gateway: Gateway, sandbox: Sandbox, token: str, reason: str, code: str
) -> None:
    """HTTP 200 does not mean paid."""
    made = (await gateway.charge(payment_token=f"adyen:s:{token}")).attempt

    assert (made.outcome, made.reason, made.psp_code) == (noun.Attempt.DECLINED, reason, code)
    assert [kind for kind, _ in await sandbox.moved(attempt_id="att_1")] == ["decline"]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "charge_then_timeout", "hold_s": 5},
        {"kind": "connection_reset_after"},
        {"kind": "malformed"},
        {"kind": "rate_limit"},
    ],
)
async def test_a_lost_answer_is_asked_for_under_its_key(
    psp_database: ServiceDatabase, sandbox: Sandbox, fault: dict[str, Any]
) -> None:
    """The same request again is answered as the first, or is the first."""
    settings = {
        "ADYEN_API_KEY": "AQE_canary",  # pragma: allowlist secret
        "ADYEN_API_BASE": f"{sandbox.url}/adyen",
        "ADYEN_MERCHANT_ACCOUNT": "PaymeshDemo",
        "ADYEN_TIMEOUT_S": "1.5",
    }
    async with served(psp_database, sandbox.url, **settings) as gateway:
        await sandbox.fault(match={"operation": "confirm"}, **fault)
        settled = await gateway.settled(payment_token=TOKEN)

    assert settled.outcome == noun.Attempt.SUCCEEDED
    assert await sandbox.moved(attempt_id="att_1") == [("charge", 9999)]


async def test_an_answer_that_lies_about_the_amount_is_not_believed(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    """Neither success nor failure: a person must look."""
    await sandbox.fault("wrong_amount", match={"operation": "confirm"}, off_by=1)
    made = (await gateway.charge(payment_token=TOKEN)).attempt

    assert (made.outcome, made.reason) == (noun.Attempt.UNKNOWN, "AMOUNT_MISMATCH")


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


async def test_what_it_took_in_part_is_given_back_by_two_persons(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    """It cannot be asked, and has said that it was another amount; how much is their word."""
    made = (await gateway.charge(payment_token="adyen:s:adyen_partial")).attempt
    half = {"outcome": noun.Attempt.DECLINED, "amount": "49.99"}

    resolved = (await resolve(gateway, made, **half)).attempt
    late_id = f"{made.attempt_id}l1"
    back = {"attempt_id": f"{late_id}r1", "charge_attempt_id": late_id, "amount": "49.99"}
    refund = (await gateway.refund(**back)).attempt

    assert made.message.endswith("It says 49.99 USD.")
    assert (resolved.outcome, resolved.reason) == (noun.Attempt.DECLINED, "AMOUNT_MISMATCH")
    assert refund.outcome == noun.Attempt.PENDING
    assert (await sandbox.money())[0] == ("charge", 4999)


async def test_a_capture_is_told_by_its_webhook(gateway: Gateway, sandbox: Sandbox) -> None:
    """It is received, and asked for no more; the event ends it, and a failure later contradicts."""
    held = (await gateway.hold(payment_token=TOKEN)).attempt
    assert (held.kind, held.outcome) == (noun.Attempt.AUTHORIZATION, noun.Attempt.SUCCEEDED)
    assert held.HasField("expires_at")
    taken = (await gateway.captures(capture(amount="60.00")))[0].attempt
    await asyncio.sleep(0.5)
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


async def come_back(sandbox: Sandbox, page: str, result: str) -> dict[str, str]:
    """End a challenge as a browser does; tell the query of the URL that it is sent back by."""
    async with sandbox.session.post(page, data={"result": result}, allow_redirects=False) as answer:
        assert answer.status in (302, 303), await answer.text()
        url = URL(answer.headers["Location"])
    assert str(url.with_query(None)) == "https://shop.example/back"
    return dict(url.query)


async def resume(gateway: Gateway, attempt: str, /, **details: str) -> noun.Attempt:
    """Say that the buyer has come back."""
    request = psp_gateway_service_pb2.ResumeChargeRequest(attempt_id=attempt, details=details)
    answer = await gateway.stub.ResumeCharge(request, timeout=DEADLINE_S)
    found: noun.Attempt = answer.attempt
    return found


@pytest.mark.parametrize(
    ("result", "outcome", "moved"),
    [
        ("complete", noun.Attempt.SUCCEEDED, [("charge", 9999)]),
        ("fail", noun.Attempt.DECLINED, [("decline", 9999)]),
    ],
)
async def test_a_buyer_comes_back(
    gateway: Gateway,
    sandbox: Sandbox,
    result: str,
    outcome: "noun.Attempt.Outcome",
    moved: list[tuple[str, int]],
) -> None:
    """Adyen is told what he brought, once; before that nothing moves."""
    waiting = (await gateway.charge(payment_token="adyen:s:adyen_redirect")).attempt
    assert waiting.outcome == noun.Attempt.ACTION_REQUIRED
    query = await come_back(sandbox, waiting.redirect_url, result)
    assert query["attempt_id"] == "att_1"
    early = await resume(gateway, "att_1", redirectResult="nonsense")
    assert early.outcome == noun.Attempt.ACTION_REQUIRED
    assert await sandbox.moved(attempt_id="att_1") == []

    done = await asyncio.gather(*(resume(gateway, "att_1", **query) for _ in range(3)))

    assert {(await resume(gateway, "att_1", **query)).outcome} == {outcome}
    assert outcome in {attempt.outcome for attempt in done}
    assert await sandbox.moved(attempt_id="att_1") == moved


async def left_behind(gateway: Gateway, sandbox: Sandbox) -> noun.Attempt:
    """Let a buyer not come back until it is too late."""
    token = "adyen:s:adyen_redirect"
    waiting = (await gateway.charge(payment_token=token)).attempt
    assert waiting.outcome == noun.Attempt.ACTION_REQUIRED
    async with asyncio.timeout(DEADLINE_S):
        while (await stands(gateway, noun.Attempt.CHARGE)).outcome != noun.Attempt.UNKNOWN:
            await gateway.charge(payment_token=token)
            await asyncio.sleep(0.1)
    again = (await gateway.charge(payment_token=token)).attempt
    assert (again.outcome, again.reason) == (noun.Attempt.UNKNOWN, "AUTHENTICATION_ABANDONED")
    return waiting


IMPATIENT = pytest.mark.parametrize("gateway", [{"PSP_ABANDON_AFTER_S": "1"}], indirect=True)


@IMPATIENT
async def test_a_buyer_who_never_comes_back_is_not_waited_for(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    """Adyen is told once to take it back; that it was received is no end, and a failure is none."""
    await left_behind(gateway, sandbox)
    requests = (await stands(gateway, noun.Attempt.CHARGE)).request_count
    failed = item("TECHNICAL_CANCEL", ours="att_1", reference="887", success="false")

    await tell(gateway, failed)
    await asyncio.sleep(0.5)
    await gateway.charge(payment_token="adyen:s:adyen_redirect")

    found = await stands(gateway, noun.Attempt.CHARGE)
    assert (found.outcome, found.reason) == (noun.Attempt.UNKNOWN, "AUTHENTICATION_ABANDONED")
    assert found.request_count == requests


@IMPATIENT
async def test_adyen_tells_that_it_was_taken_back(gateway: Gateway, sandbox: Sandbox) -> None:
    """Only that ends it; no money moved."""
    await left_behind(gateway, sandbox)

    await tell(gateway, item("TECHNICAL_CANCEL", ours="att_1", reference="888"))

    ended = await stands(gateway, noun.Attempt.CHARGE)
    assert (ended.outcome, ended.reason) == (noun.Attempt.DECLINED, "AUTHENTICATION_ABANDONED")


@IMPATIENT
async def test_a_buyer_who_comes_after_all_pays(gateway: Gateway, sandbox: Sandbox) -> None:
    """What he brings back is told to Adyen, and counts."""
    waiting = await left_behind(gateway, sandbox)
    query = await come_back(sandbox, waiting.redirect_url, "complete")

    paid = await resume(gateway, "att_1", **query)

    assert paid.outcome == noun.Attempt.SUCCEEDED
    assert await sandbox.money() == [("charge", 9999)]


async def test_a_return_that_nobody_waits_for(gateway: Gateway) -> None:
    """A charge that is done is answered as it stands; one that is not there is not found."""
    made = (await gateway.charge(payment_token=TOKEN)).attempt

    assert (await resume(gateway, "att_1", redirectResult="x")).outcome == made.outcome
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await resume(gateway, "att_nobody")
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND


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
