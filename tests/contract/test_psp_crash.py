"""The gateway is killed at each point of an attempt; the next call finishes it, and money moved
once.
"""

import asyncio
import base64
import os
import sys
from pathlib import Path

import grpc
import pytest
from paymesh.psp.v1 import attempt_pb2 as noun

from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.sandbox import (
    DEADLINE_S,
    SECRET_KEY,
    Sandbox,
    environment,
    gateway_process,
    served,
)

KILLED = -9
STRONG = {
    "PSP_FINGERPRINT_KEY": "a-key-of-production",
    "PAYMESH_KEY": f"k1 {base64.b64encode(bytes(range(32))).decode()}",
}


@pytest.mark.parametrize(
    "point",
    ["attempt_stored", "created", "outcome_stored", "confirmed", "outcome_stored=kill@2"],
)
async def test_a_killed_charge_is_finished_once(
    psp_database: ServiceDatabase, sandbox: Sandbox, point: str
) -> None:
    """After kill -9 the next process tells SUCCEEDED; the sandbox charged once."""
    plan = f"psp.{point}" if "=" in point else f"psp.{point}=kill"
    async with gateway_process(psp_database, sandbox.url, FAULT_POINTS=plan) as (gateway, process):
        with pytest.raises(grpc.aio.AioRpcError):
            await gateway.charge()
        code = await asyncio.wait_for(process.wait(), DEADLINE_S)

    async with served(psp_database, sandbox.url) as gateway:
        settled = await gateway.settled()

    assert code == KILLED
    assert settled.outcome == noun.Attempt.SUCCEEDED
    assert await sandbox.moved(payment_id="pay_1") == [("charge", 9999)]


@pytest.mark.parametrize("point", ["attempt_stored", "refunded", "outcome_stored"])
async def test_a_killed_refund_is_finished_once(
    psp_database: ServiceDatabase, sandbox: Sandbox, point: str
) -> None:
    """After kill -9 the next process tells SUCCEEDED; the sandbox gave back once."""
    async with served(psp_database, sandbox.url) as gateway:
        await gateway.charge()
    plan = f"psp.{point}=kill"
    async with gateway_process(psp_database, sandbox.url, FAULT_POINTS=plan) as (gateway, process):
        with pytest.raises(grpc.aio.AioRpcError):
            await gateway.refund()
        code = await asyncio.wait_for(process.wait(), DEADLINE_S)

    async with served(psp_database, sandbox.url) as gateway:
        settled = await gateway.settled_refund()

    assert code == KILLED
    assert settled.outcome == noun.Attempt.SUCCEEDED
    assert await sandbox.moved() == [("charge", 9999), ("refund", 9999)]


async def test_a_killed_charge_without_an_answer_is_looked_up(
    psp_database: ServiceDatabase, sandbox: Sandbox
) -> None:
    """Killed while the PSP, which has charged, keeps silent: the next process finds the charge."""
    await sandbox.fault("charge_then_timeout")
    async with gateway_process(
        psp_database, sandbox.url, STRIPE_TIMEOUT_S="30", PSP_ANSWER_S="0.5"
    ) as (gateway, process):
        first = (await gateway.charge()).attempt
        process.kill()
        await process.wait()

    async with served(psp_database, sandbox.url) as gateway:
        settled = await gateway.settled()

    assert first.outcome == noun.Attempt.PENDING
    assert settled.outcome == noun.Attempt.SUCCEEDED
    assert await sandbox.moved(payment_id="pay_1") == [("charge", 9999)]


async def test_the_log_tells_trouble_and_no_secret(
    psp_database: ServiceDatabase, sandbox: Sandbox, tmp_path: Path
) -> None:
    """At its most talkative the process names each trouble, and neither what pays nor the key."""
    log = tmp_path / "log"
    token = "tok_canary_secret"
    with log.open("wb") as written:
        async with gateway_process(
            psp_database, sandbox.url, log=written.fileno(), LOG_LEVEL="DEBUG"
        ) as (gateway, _):
            await gateway.charge(payment_token=token)
            for number, kind in enumerate(("malformed", "error_before", "rate_limit")):
                await sandbox.fault(kind, match={"operation": "create"})
                await gateway.charge(attempt_id=f"att_trouble{number}", payment_token=token)
            await gateway.charge(attempt_id="att_1", payment_token=f"{token}_2")
            await gateway.refund()

    text = log.read_text()
    assert text.count('"psp_trouble"') >= 3
    assert "att_trouble0" in text
    assert token not in text
    assert SECRET_KEY not in text


async def test_a_weak_setting_is_named(psp_database: ServiceDatabase) -> None:
    """In production the development key and plain HTTP are refused; it says so and ends with 2."""
    settings = environment(psp_database, "http://127.0.0.1:1", ENVIRONMENT="production")
    for more, named in (({}, b"PSP_FINGERPRINT_KEY"), (STRONG, b"STRIPE_API_BASE")):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "psp_gateway"),
            env={**os.environ, **settings, **more},
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await asyncio.wait_for(process.communicate(), DEADLINE_S)

        assert process.returncode == 2
        assert named in said
