"""What persons say of unknown attempts, over real gRPC, PostgreSQL and Stripe's wire; the sandbox's
record is the truth, and the PSP's own word wins.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from paymesh.psp.v1 import attempt_pb2 as noun
from paymesh.psp.v1 import attempt_resolution_service_pb2 as resolutions
from paymesh.psp.v1 import psp_gateway_service_pb2 as service

from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.sandbox import Gateway, Sandbox, running_sandbox, served

ONE_CHARGE = [("charge", 9999)]
SILENT = {"kind": "malformed", "match": {"operation": "retrieve"}, "times": 1000}
_Attempt = noun.Attempt


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


async def silence(sandbox: Sandbox) -> None:
    """Let the PSP say nothing that can be understood when it is looked up."""
    await sandbox.fault(SILENT["kind"], match=SILENT["match"], times=SILENT["times"])  # type: ignore[arg-type]


async def speak(sandbox: Sandbox) -> None:
    """Let the PSP answer again."""
    async with sandbox.session.delete(f"{sandbox.url}/control/faults") as response:
        assert response.status < 300


async def unknown(gateway: Gateway, sandbox: Sandbox, *, charged: bool) -> noun.Attempt:
    """Make an attempt that is unknown to us, and charged or not in truth."""
    await silence(sandbox)
    kind = "connection_reset_after" if charged else "error_before"
    await sandbox.fault(kind, match={"operation": "confirm"}, times=10)
    attempt = (await gateway.charge()).attempt
    assert attempt.outcome == _Attempt.UNKNOWN
    assert await sandbox.money() == (ONE_CHARGE if charged else [])
    return attempt


async def resolve(gateway: Gateway, attempt: noun.Attempt, **said: Any) -> service.AttemptResult:
    """Say what became of an attempt."""
    fields = {
        "attempt_id": attempt.attempt_id,
        "outcome": _Attempt.SUCCEEDED,
        "psp_reference": attempt.psp_reference,
        "amount": attempt.amount,
        "currency": attempt.currency,
        "evidence": "Seen in the PSP's dashboard",
        "proposed_by": "ann",
        "approved_by": "bob",
        **said,
    }
    request = resolutions.ResolveAttemptsRequest(
        resolutions=[resolutions.AttemptResolution(**fields)]
    )
    return (await gateway.resolutions.ResolveAttempts(request, timeout=60)).results[0]


NO = {"outcome": _Attempt.DECLINED, "psp_reference": "", "amount": "", "currency": ""}


async def test_while_the_psp_is_silent_two_persons_are_believed(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    """The saga hears it as from the PSP, again and again, and nothing more is charged."""
    attempt = await unknown(gateway, sandbox, charged=True)

    first = (await resolve(gateway, attempt)).attempt
    again = (await resolve(gateway, attempt)).attempt
    asked = (await gateway.charge()).attempt

    assert first.outcome == _Attempt.SUCCEEDED
    assert first.psp_reference == attempt.psp_reference
    assert again == asked == first
    assert await sandbox.money() == ONE_CHARGE


async def test_that_nothing_was_charged_is_final(gateway: Gateway, sandbox: Sandbox) -> None:
    """The attempt is declined for a reason of its own and never sent again."""
    attempt = await unknown(gateway, sandbox, charged=False)

    said = (await resolve(gateway, attempt, **NO)).attempt
    await speak(sandbox)
    asked = (await gateway.charge()).attempt

    assert (said.outcome, said.reason) == (_Attempt.DECLINED, "RESOLVED_BY_HAND")
    assert asked == said
    assert await sandbox.money() == []


@pytest.mark.parametrize("charged", [True, False])
async def test_the_psp_s_own_word_wins(gateway: Gateway, sandbox: Sandbox, charged: bool) -> None:
    """Once the PSP tells when it is looked up once more, nobody's word is taken against it."""
    attempt = await unknown(gateway, sandbox, charged=charged)
    await speak(sandbox)

    result = await resolve(gateway, attempt, **(NO if charged else {}))

    if charged:
        assert result.attempt.outcome == _Attempt.SUCCEEDED
        assert (await gateway.charge()).attempt.outcome == _Attempt.SUCCEEDED
    else:
        assert result.refusal.reason == "RESOLUTION_CONTRADICTED"
        assert "has not done it" in result.refusal.message
    assert await sandbox.money() == (ONE_CHARGE if charged else [])


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"amount": "99.98"}, "99.99 USD was asked for"),
        ({"currency": "EUR"}, "99.99 USD was asked for"),
        ({"amount": "", "currency": ""}, "99.99 USD was asked for"),
        ({"psp_reference": "pi_another"}, "the PSP knows it as pi_"),
        ({"psp_reference": ""}, "has a reference"),
    ],
)
async def test_what_does_not_fit_is_refused(
    gateway: Gateway, sandbox: Sandbox, said: dict[str, Any], why: str
) -> None:
    """Success is of the amount that was asked for, under the reference that is known."""
    attempt = await unknown(gateway, sandbox, charged=True)

    refusal = (await resolve(gateway, attempt, **said)).refusal

    assert refusal.reason == "RESOLUTION_CONTRADICTED"
    assert why in refusal.message
    assert (await gateway.attempts("pay_1"))[0].outcome == _Attempt.UNKNOWN


async def test_only_what_is_there_and_unknown_is_resolved(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    """What waits for its buyer is left alone, what nobody knows is not made up."""
    waiting = (await gateway.charge(payment_token="pm_card_threeDSecure2Required")).attempt

    refused = await resolve(gateway, waiting)
    missing = await resolve(gateway, noun.Attempt(attempt_id="att_none"), **NO)

    assert refused.refusal.reason == "ATTEMPT_NOT_UNKNOWN"
    assert missing.refusal.reason == "ATTEMPT_NOT_FOUND"
    assert await sandbox.money() == []


async def test_one_person_is_not_two(gateway: Gateway) -> None:
    """The gateway does not take one name twice."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await resolve(gateway, noun.Attempt(attempt_id="att_1"), approved_by="ann", **NO)

    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_those_who_say_the_opposite_at_once(gateway: Gateway, sandbox: Sandbox) -> None:
    """One of them is recorded, once, and all hear the same."""
    attempt = await unknown(gateway, sandbox, charged=True)

    results = await asyncio.gather(
        *(resolve(gateway, attempt, **(NO if place % 2 else {})) for place in range(8))
    )

    assert len({result.attempt.outcome for result in results}) == 1
    (kept,) = await gateway.attempts("pay_1")
    assert kept.outcome == results[0].attempt.outcome
