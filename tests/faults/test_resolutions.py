"""kill -9 while two persons' word becomes true: it is applied once, and the books follow."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import aiohttp
import grpc
import pytest

from devstack.dead_letters import DeadLetters
from devstack.invariants import check
from devstack.state import State
from devstack.trail import Operator
from tests.faults.test_kill import DEADLINE_S, arm, final, patiently, pay, quiet, restarts, story

FOREVER = 100_000
POINTS = [
    ("payment_svc", "resolution.approved"),
    ("payment_svc", "resolution.told"),
    ("psp_gateway", "psp.resolving"),
]


@asynccontextmanager
async def silent(stack: dict[str, Any], *, charged: bool) -> AsyncIterator[None]:
    """Let the PSP charge, or not, and tell nothing of it afterwards; it sends no webhooks."""
    struck = "connection_reset_after" if charged else "error_before"
    faults = [
        {"kind": struck, "match": {"operation": "confirm"}, "times": FOREVER},
        {"kind": "malformed", "match": {"operation": "retrieve"}, "times": FOREVER},
    ]
    async with aiohttp.ClientSession(stack["psp_sandbox"]["url"]) as control:
        for fault in faults:
            async with control.post("/control/faults", json=fault) as response:
                assert response.status < 300, await response.text()
        try:
            yield
        finally:
            await control.delete("/control/faults")


async def waiting(stack: dict[str, Any], payment_id: str) -> dict[str, Any]:
    """Await the saga of a payment that waits for evidence, as operators list it."""
    async with asyncio.timeout(DEADLINE_S), Operator(stack) as operator:
        letters = DeadLetters(operator.payments, "ann")
        chosen: dict[str, Any] = {
            "kind": "",
            "reason": "",
            "payment": payment_id,
            "older_than": timedelta(0),
        }
        while True:
            found = await patiently(lambda: letters.list("WAITING", 10, **chosen))
            for saga in found:
                if saga["reason"] not in ("PSP_PENDING", "NOT_DUE"):
                    return dict(saga)
            await asyncio.sleep(0.1)


async def ended(stack: dict[str, Any], resolution_id: str) -> dict[str, Any]:
    """Await the end of a resolution, while services come and go."""
    async with asyncio.timeout(DEADLINE_S), Operator(stack) as operator:
        letters = DeadLetters(operator.payments, "bob")
        while True:
            found = await patiently(lambda: letters.find(resolution_id))
            if found["status"] != "APPROVED":
                return found
            await asyncio.sleep(0.1)


async def propose(stack: dict[str, Any], payment_id: str, *, charged: bool) -> dict[str, Any]:
    """Say what became of a payment's charge, as its own record at the PSP has it."""
    saga = await waiting(stack, payment_id)
    async with Operator(stack) as operator:
        reference = (await operator.trail(payment_id)).attempts[0]["psp_reference"]
        said = {"psp_reference": reference, "amount": "99.99", "currency": "USD"}
        decision = "CHARGED" if charged else "NOT_CHARGED"
        return await DeadLetters(operator.payments, "ann").resolve(
            saga["saga_id"], decision, "The PSP does not tell", evidence="Seen in the dashboard",
            **(said if charged else {}),
        )  # fmt: skip


async def approve(stack: dict[str, Any], resolution_id: str) -> None:
    """Approve a resolution; whoever is asked may die of it."""
    async with Operator(stack) as operator:
        with suppress(grpc.aio.AioRpcError):
            await DeadLetters(operator.payments, "bob").approve(resolution_id, "It is so")


@pytest.mark.parametrize("charged", [True, False], ids=["charged", "not_charged"])
@pytest.mark.parametrize(("service", "point"), POINTS, ids=[point for _, point in POINTS])
async def test_killed_while_resolving_it_is_applied_once(
    state: State, stack: dict[str, Any], service: str, point: str, charged: bool
) -> None:
    """Whichever instant a process dies at, the payment ends by the word of two, the books square,
    and the PSP has charged what it had charged before.
    """
    await quiet(stack)
    async with silent(stack, charged=charged):
        payment_id = await pay(stack)
        proposal = await propose(stack, payment_id, charged=charged)
        armed = await arm(state, service, point)

        await approve(stack, proposal["resolution_id"])
        resolution = await ended(stack, proposal["resolution_id"])
        payment = await final(stack, payment_id)
    trail = await story(stack, payment_id)

    assert restarts(state, service) == armed + 1, "the fault did not strike"
    assert resolution["status"] == "APPLIED", resolution["note"]
    assert payment["status"] == ("COMPLETED" if charged else "FAILED")
    assert [(v.name, v.evidence) for v in check(trail) if not v.holds] == []
    assert len([r for r in trail.psp_record if r["kind"] == "charge"]) == int(charged)
    told = [event["summary"] for event in trail.story["timeline"] if event["kind"] == "operator"]
    assert len([line for line in told if "approved" in line]) == 1
    assert len([line for line in told if "ended APPLIED" in line]) == 1
