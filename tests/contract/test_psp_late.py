"""A charge that the PSP had declined is charged after all: an attempt of its own, given back."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from paymesh.psp.v1 import attempt_pb2 as noun
from paymesh.psp.v1 import psp_gateway_service_pb2 as service

from tests.contract.test_attempt_resolutions import NO, resolve
from tests.contract.test_psp_webhooks import EVENT, SECRET, event, events, send, until
from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.gateway_commands import capture, charge, refund, void
from tests.unit.psp_gateway.sandbox import Gateway, Sandbox, served

CONFIRM = {"operation": "confirm"}


@pytest.fixture
async def gateway(psp_database: ServiceDatabase, sandbox: Sandbox) -> AsyncIterator[Gateway]:
    """Serve the gateway, with nobody who hears of news."""
    settings = {"STRIPE_WEBHOOK_SECRET": SECRET, "PSP_INBOX_POLL_S": "0.1"}
    async with served(psp_database, sandbox.url, **settings) as started:
        yield started


async def test_a_late_charge_is_kept_and_given_back(gateway: Gateway, sandbox: Sandbox) -> None:
    """The declined attempt stays declined; what the PSP took is refunded once, under the guard."""
    await sandbox.fault("charge_then_refuse", match=CONFIRM)
    declined = (await gateway.charge()).attempt
    assert declined.outcome == noun.Attempt.DECLINED

    for number in (1, 2):
        kind = "payment_intent.succeeded"
        await send(gateway, event(f"evt_{number}", kind, id=declined.psp_reference))
        told = await until(gateway, f"evt_{number}", EVENT.CONTRADICTS)
    attempts = await gateway.attempts("pay_1")
    late_id = f"{declined.attempt_id}l1"
    first = await gateway.refund(charge_attempt_id=late_id, attempt_id=f"{late_id}r1")
    again = await gateway.refund(charge_attempt_id=late_id, attempt_id=f"{late_id}r1")
    other = await gateway.refund(charge_attempt_id=late_id, attempt_id=f"{late_id}r2")

    assert late_id in told.note
    assert [(a.attempt_id, a.outcome, a.psp_reference) for a in attempts] == [
        (declined.attempt_id, noun.Attempt.DECLINED, declined.psp_reference),
        (late_id, noun.Attempt.SUCCEEDED, declined.psp_reference),
    ]
    assert first.attempt.outcome == again.attempt.outcome == noun.Attempt.SUCCEEDED
    assert other.refusal.reason == "REFUND_EXCEEDS_CHARGE"
    assert [kind for kind, _ in await sandbox.money()] == ["charge", "refund"]


async def test_a_late_charge_of_another_amount_is_for_a_person(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    """It is not kept as if it were what was asked for, and not called no charge."""
    await sandbox.fault("charge_then_refuse", match=CONFIRM)
    declined = (await gateway.charge()).attempt
    await sandbox.fault("wrong_amount", match={"operation": "retrieve"}, off_by=-100)

    await send(gateway, event("evt_1", "payment_intent.succeeded", id=declined.psp_reference))
    told = await until(gateway, "evt_1", EVENT.CONTRADICTS)

    assert told.note == f"{declined.attempt_id} is charged late, another amount."
    assert [a.attempt_id for a in await gateway.attempts("pay_1")] == [declined.attempt_id]


async def test_a_capture_that_was_refused_before_another_is_no_late_charge(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    """What the PSP then shows as taken is the other's."""
    held = (await gateway.hold()).attempt
    await sandbox.dark(dark=True)
    unknown = await gateway.capture(attempt_id="att_k1", amount="60.00")
    refused = await resolve(gateway, unknown.attempt, **NO)
    await sandbox.dark(dark=False)
    taken = await gateway.capture(attempt_id="att_k2", amount="50.00")
    assert refused.attempt.outcome == noun.Attempt.DECLINED
    assert taken.attempt.outcome == noun.Attempt.SUCCEEDED

    await send(gateway, event("evt_1", "charge.captured", payment_intent=held.psp_reference))
    await until(gateway, "evt_1", EVENT.APPLIED)

    assert len(await gateway.attempts("pay_1")) == 3


async def test_what_was_truly_declined_stays_so(gateway: Gateway) -> None:
    """Whatever an event says: the PSP is asked, and only what it has charged is late."""
    declined = (await gateway.charge(payment_token="pm_card_chargeDeclined")).attempt
    for number, kind in enumerate(("payment_intent.payment_failed", "payment_intent.succeeded")):
        await send(gateway, event(f"evt_{number}", kind, id=declined.psp_reference))
        await until(gateway, f"evt_{number}", EVENT.APPLIED)

    assert [a.attempt_id for a in await gateway.attempts("pay_1")] == [declined.attempt_id]
    assert len(await events(gateway)) == 2


@pytest.mark.parametrize("ask", [charge, refund, capture, void])
async def test_the_names_of_late_charges_are_the_gateways_own(
    gateway: Gateway, ask: Callable[..., Any]
) -> None:
    """A caller's attempt of such a name would be taken for a charge that came late."""
    asked = ask(attempt_id="att_1l1")
    calls = {
        service.ChargeCommand: gateway.charges,
        service.RefundCommand: gateway.refunds,
        service.CaptureCommand: gateway.captures,
        service.VoidCommand: gateway.voids,
    }
    with pytest.raises(grpc.aio.AioRpcError, match=r"attempt_id: an l and a digit") as refused:
        await calls[type(asked)](asked)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert await gateway.attempts("pay_1") == []


async def test_what_is_charged_late_under_the_longest_name_can_be_given_back(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    """The name of the late charge is longer, and is taken."""
    longest = f"att_{'z' * 60}"
    await sandbox.fault("charge_then_refuse", match=CONFIRM)
    declined = (await gateway.charge(attempt_id=longest)).attempt
    await send(gateway, event("evt_1", "payment_intent.succeeded", id=declined.psp_reference))
    await until(gateway, "evt_1", EVENT.CONTRADICTS)

    given_back = await gateway.refund(charge_attempt_id=f"{longest}l1")

    assert given_back.attempt.outcome == noun.Attempt.SUCCEEDED


@pytest.mark.parametrize("seconds", [-(10**15), -5, 4_102_444_800, 253_402_300_799, 10**15])
async def test_a_page_that_closes_out_of_the_calendar_is_refused(
    gateway: Gateway, seconds: int
) -> None:
    """The field is named, and nothing is stored."""
    asked = charge(payment_token="")
    asked.hosted_page.success_url = asked.hosted_page.cancel_url = "https://shop.example/"
    asked.hosted_page.expires_at.seconds = seconds
    with pytest.raises(grpc.aio.AioRpcError, match="expires_at") as refused:
        await gateway.charges(asked)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert await gateway.attempts("pay_1") == []
