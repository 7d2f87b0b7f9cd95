"""A charge that the PSP had declined is charged after all: an attempt of its own, given back."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from paymesh.psp.v1 import attempt_pb2 as noun

from tests.contract.test_psp_webhooks import EVENT, SECRET, event, events, send, until
from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.sandbox import Gateway, Sandbox, running_sandbox, served

CONFIRM = {"operation": "confirm"}


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """Run the sandbox."""
    async with running_sandbox(tmp_path) as started:
        yield started


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


async def test_what_was_truly_declined_stays_so(gateway: Gateway) -> None:
    """Whatever an event says: the PSP is asked, and only what it has charged is late."""
    declined = (await gateway.charge(payment_token="pm_card_chargeDeclined")).attempt
    for number, kind in enumerate(("payment_intent.payment_failed", "payment_intent.succeeded")):
        await send(gateway, event(f"evt_{number}", kind, id=declined.psp_reference))
        await until(gateway, f"evt_{number}", EVENT.APPLIED)

    assert [a.attempt_id for a in await gateway.attempts("pay_1")] == [declined.attempt_id]
    assert len(await events(gateway)) == 2
