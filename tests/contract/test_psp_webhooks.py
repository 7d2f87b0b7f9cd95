"""Webhooks over the gateway's RPC, the sandbox and a real PostgreSQL: stored, then applied."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import psycopg
import pytest
from google.api.httpbody_pb2 import HttpBody
from paymesh.psp.v1 import attempt_pb2 as noun
from paymesh.psp.v1 import webhook_service_pb2 as service

from psp_gateway.private import BODY
from tests.conftest import opened
from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.gateway_commands import capture, charge
from tests.unit.psp_gateway.sandbox import (
    DEADLINE_S,
    IMPATIENT,
    Gateway,
    Sandbox,
    served,
)

SECRET = "whsec_canary_1"  # pragma: allowlist secret
NEXT = "whsec_other"  # pragma: allowlist secret
EVENT = service.WebhookEvent


@pytest.fixture
async def gateway(
    request: pytest.FixtureRequest, psp_database: ServiceDatabase, sandbox: Sandbox
) -> AsyncIterator[Gateway]:
    """Serve the gateway; its inbox is looked at when something arrives, and ten times a second."""
    settings = {"STRIPE_WEBHOOK_SECRET": f"{SECRET},whsec_next", "PSP_INBOX_POLL_S": "0.1"}
    settings |= getattr(request, "param", {})
    async with served(psp_database, sandbox.url, **settings) as started:
        yield started


def event(event_id: str, kind: str, **object_: Any) -> bytes:
    """Make a body as Stripe does."""
    content = {"id": event_id, "type": kind, "created": 1, "data": {"object": object_}}
    return json.dumps(content, indent=2).encode()


async def send(
    gateway: Gateway, body: bytes, *, psp: str = "stripe", secret: str = SECRET, age_s: int = 0
) -> HttpBody:
    """Send a webhook, signed."""
    at = int(time.time()) - age_s
    signature = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
    request = service.ReceiveWebhookRequest(psp=psp, raw=HttpBody(data=body))
    metadata = [("stripe-signature", f"t={at},v1={signature}"), ("x-canary", "not kept")]
    answer: HttpBody = await gateway.webhooks.ReceiveWebhook(
        request, metadata=metadata, timeout=DEADLINE_S
    )
    return answer


async def events(gateway: Gateway, **filters: Any) -> list[service.WebhookEvent]:
    """List the inbox, the newest first."""
    request = service.ListWebhookEventsRequest(**filters)
    return list((await gateway.webhooks.ListWebhookEvents(request, timeout=DEADLINE_S)).events)


async def until(gateway: Gateway, event_id: str, *states: int) -> service.WebhookEvent:
    """Wait until an event stands so."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            for found in await events(gateway):
                if found.event_id == event_id and found.state in states:
                    return found
            await asyncio.sleep(0.02)


async def outcome(gateway: Gateway) -> tuple["noun.Attempt.Outcome", str]:
    """Read how the attempt stands, which asks no PSP."""
    (attempt,) = await gateway.attempts("pay_1")
    return attempt.outcome, attempt.reason


async def test_an_authenticated_charge_succeeds_by_its_webhook(
    gateway: Gateway, sandbox: Sandbox, psp_database: ServiceDatabase
) -> None:
    """Nobody asks for the attempt: the PSP tells, is asked back, and the attempt moves on."""
    waiting = (await gateway.charge(payment_token="pm_card_threeDSecure2Required")).attempt
    assert waiting.outcome == noun.Attempt.ACTION_REQUIRED
    await sandbox.authenticate(waiting.psp_reference, "complete")
    body = event("evt_1", "payment_intent.succeeded", id=waiting.psp_reference)

    answer = await send(gateway, body)
    applied = await until(gateway, "evt_1", EVENT.APPLIED)

    assert (answer.data, answer.content_type) == (b"{}", "application/json")
    assert await outcome(gateway) == (noun.Attempt.SUCCEEDED, "")
    assert (applied.subject, applied.tries, applied.HasField("due_at")) == ("CHARGE", 1, False)
    async with opened(psp_database) as app:
        (row,) = await app.read("SELECT * FROM webhooks")
        kept = app.keyring.decrypt(BODY, row["webhook_id"], row["body_encrypted"])
    assert (row["psp"], kept, row["body"]) == ("stripe", body, b"")
    assert {name for name, _ in row["headers"]} == {"stripe-signature", "user-agent"}


async def test_what_an_event_says_is_not_believed(gateway: Gateway) -> None:
    """A success that the PSP does not confirm when it is asked changes nothing."""
    waiting = (await gateway.charge(payment_token="pm_card_threeDSecure2Required")).attempt
    body = event("evt_1", "payment_intent.succeeded", id=waiting.psp_reference, status="succeeded")
    await send(gateway, body)
    await until(gateway, "evt_1", EVENT.APPLIED)

    assert await outcome(gateway) == (noun.Attempt.ACTION_REQUIRED, "")


async def test_an_abandoned_challenge_fails_by_its_webhook(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    """The decline is final, and its reason is the PSP's."""
    waiting = (await gateway.charge(payment_token="pm_card_threeDSecure2Required")).attempt
    await sandbox.authenticate(waiting.psp_reference, "fail")
    await send(gateway, event("evt_1", "payment_intent.payment_failed", id=waiting.psp_reference))
    await until(gateway, "evt_1", EVENT.APPLIED)

    assert (await outcome(gateway))[0] == noun.Attempt.DECLINED


async def test_the_same_event_counts_once(gateway: Gateway) -> None:
    """Twice at once, and later again; each delivery is answered alike."""
    made = (await gateway.charge()).attempt
    body = event("evt_1", "charge.succeeded", payment_intent=made.psp_reference)

    answers = await asyncio.gather(*(send(gateway, body) for _ in range(8)))
    await until(gateway, "evt_1", EVENT.APPLIED)
    answers.append(await send(gateway, body))

    assert {answer.data for answer in answers} == {b"{}"}
    assert [(found.event_id, found.tries) for found in await events(gateway)] == [("evt_1", 1)]


async def test_an_event_may_come_before_what_it_is_about(gateway: Gateway) -> None:
    """It is parked, shown, and applied once its object is known."""
    body = event("evt_1", "payment_intent.created", id="pi_early", metadata={"attempt_id": "att_1"})
    await send(gateway, body)
    parked = await until(gateway, "evt_1", EVENT.PARKED)
    assert parked.note == "No attempt of ours is known by it."
    assert parked.HasField("due_at")

    await gateway.charge()
    applied = await until(gateway, "evt_1", EVENT.APPLIED)
    assert applied.tries >= 2


@pytest.mark.parametrize("gateway", [IMPATIENT], indirect=True)
async def test_a_capture_is_told_by_its_charge(gateway: Gateway, sandbox: Sandbox) -> None:
    """The PaymentIntent's event moves the capture whose answer was lost."""
    held = (await gateway.hold()).attempt
    await sandbox.fault("charge_then_timeout", match={"operation": "capture"})
    await sandbox.fault("error_before", cached=False, match={"operation": "retrieve"})
    lost = (await gateway.captures(capture()))[0].attempt
    assert lost.outcome == noun.Attempt.UNKNOWN
    await send(gateway, event("evt_1", "payment_intent.succeeded", id=held.psp_reference))
    await until(gateway, "evt_1", EVENT.APPLIED)

    kinds = {attempt.kind: attempt.outcome for attempt in await gateway.attempts("pay_1")}
    assert kinds[noun.Attempt.CAPTURE] == noun.Attempt.SUCCEEDED


async def test_trouble_at_the_psp_puts_an_event_off(gateway: Gateway, sandbox: Sandbox) -> None:
    """It stays in the inbox until the PSP can be asked."""
    waiting = (await gateway.charge(payment_token="pm_card_threeDSecure2Required")).attempt
    await sandbox.authenticate(waiting.psp_reference, "complete")
    await sandbox.dark(dark=True)
    await send(gateway, event("evt_1", "payment_intent.succeeded", id=waiting.psp_reference))
    async with asyncio.timeout(DEADLINE_S):
        while not (found := (await events(gateway))[0]).tries:
            await asyncio.sleep(0.02)
    assert (found.state, found.note) == (EVENT.NEW, "The PSP did not tell when it was asked.")

    await sandbox.dark(dark=False)
    await until(gateway, "evt_1", EVENT.APPLIED)
    assert await outcome(gateway) == (noun.Attempt.SUCCEEDED, "")


async def test_what_is_of_no_consequence_is_kept(gateway: Gateway) -> None:
    """Reports, payouts and the rest are stored for whoever needs them; lists filter and page."""
    for number, kind in enumerate(
        ("reporting.report_run.failed", "payout.paid", "customer.created")
    ):
        await send(gateway, event(f"evt_{number}", kind, id=f"x_{number}"))
    for number in range(3):
        await until(gateway, f"evt_{number}", EVENT.KEPT)

    first = await events(gateway, page_size=2)
    rest = await events(gateway, page_size=2, before=first[-1].number)
    assert [e.event_id for e in [*first, *rest]] == ["evt_2", "evt_1", "evt_0"]
    assert len(await events(gateway, state=EVENT.KEPT, psp="stripe")) == 3
    assert await events(gateway, state=EVENT.NEW) == []
    assert await events(gateway, psp="adyen") == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": NEXT},
        {"age_s": 400},
        {"psp": "adyen"},
        {"psp": "square"},
    ],  # pragma: allowlist secret
)
async def test_a_bad_signature_stores_nothing(
    gateway: Gateway, psp_database: ServiceDatabase, wrong: dict[str, Any]
) -> None:
    """The caller learns that it is not signed, and no more."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await send(gateway, event("evt_1", "payout.paid", id="po_1"), **wrong)

    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "is not signed by the PSP" in str(raised.value.details())
    with psycopg.connect(psp_database.app_url) as app:
        counts = "SELECT (SELECT count(*) FROM webhooks) + (SELECT count(*) FROM webhook_events)"
        assert app.execute(counts).fetchone() == (0,)


def test_what_arrived_cannot_be_changed(psp_database: ServiceDatabase) -> None:
    """The service's role may store a webhook, and neither change nor delete one."""
    for statement in ("UPDATE webhooks SET psp = ''", "DELETE FROM webhooks",
                      "DELETE FROM webhook_events"):  # fmt: skip
        with (
            psycopg.connect(psp_database.app_url) as app,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            app.execute(statement)  # type: ignore[arg-type]


@pytest.mark.parametrize("gateway", [IMPATIENT], indirect=True)
async def test_a_refund_is_told_by_our_id(gateway: Gateway, sandbox: Sandbox) -> None:
    """Where the PSP repeats our id, its own need not be known."""
    await gateway.charge()
    await sandbox.fault("charge_then_timeout", match={"operation": "refund"})
    await sandbox.fault("error_before", cached=False, match={"operation": "list_refunds"})
    lost = (await gateway.refund()).attempt
    assert lost.outcome == noun.Attempt.UNKNOWN
    metadata = {"attempt_id": "att_refund1"}
    await send(gateway, event("evt_1", "refund.created", id="re_unheard", metadata=metadata))
    await until(gateway, "evt_1", EVENT.APPLIED)

    refunds = [a for a in await gateway.attempts("pay_1") if a.kind == noun.Attempt.REFUND]
    assert [attempt.outcome for attempt in refunds] == [noun.Attempt.SUCCEEDED]


async def test_a_final_attempt_stays(gateway: Gateway) -> None:
    """An event that comes late about what is done asks nobody."""
    made = (await gateway.charges(charge()))[0].attempt
    await send(gateway, event("evt_1", "payment_intent.processing", id=made.psp_reference))
    await until(gateway, "evt_1", EVENT.APPLIED)

    (attempt,) = await gateway.attempts("pay_1")
    assert (attempt.outcome, attempt.request_count) == (noun.Attempt.SUCCEEDED, made.request_count)
