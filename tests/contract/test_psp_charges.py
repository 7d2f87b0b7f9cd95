"""Charges over real gRPC, a real PostgreSQL and Stripe's wire; the sandbox's record is the truth."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from paymesh.psp.v1 import attempt_pb2 as noun

from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.sandbox import (
    Gateway,
    Sandbox,
    running_sandbox,
    served,
)

ONE_CHARGE = [("charge", 9999)]


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """A sandbox of the test's own."""
    async with running_sandbox(tmp_path) as started:
        yield started


@pytest.fixture
async def gateway(psp_database: ServiceDatabase, sandbox: Sandbox) -> AsyncIterator[Gateway]:
    """A gateway to the sandbox."""
    async with served(psp_database, sandbox.url) as started:
        yield started


async def test_a_charge_succeeds_once(gateway: Gateway, sandbox: Sandbox) -> None:
    """The same attempt asked twice is charged once, and answered alike."""
    first = (await gateway.charge()).attempt
    second = (await gateway.charge()).attempt

    assert first.outcome == noun.Attempt.SUCCEEDED
    assert first.delivery == noun.Attempt.ANSWERED
    assert (first.psp, first.psp_reference[:3]) == ("stripe", "pi_")
    assert (first.amount, first.currency, first.request_count) == ("99.99", "USD", 2)
    assert second == first
    assert await sandbox.moved(attempt_id="att_1", payment_id="pay_1") == ONE_CHARGE
