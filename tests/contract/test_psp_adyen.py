"""Adyen behind the gateway, over the sandbox and a real PostgreSQL: one request charges, its key is
the only question, and a buyer comes back or does not.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from paymesh.psp.v1 import attempt_pb2 as noun
from paymesh.psp.v1 import psp_gateway_service_pb2
from yarl import URL

from tests.contract.adyen_gateway import TOKEN, item, rested, stands, tell, with_adyen
from tests.contract.test_attempt_resolutions import resolve
from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.sandbox import DEADLINE_S, Gateway, Sandbox


@pytest.fixture
async def gateway(
    request: pytest.FixtureRequest, psp_database: ServiceDatabase, sandbox: Sandbox
) -> AsyncIterator[Gateway]:
    """Serve the gateway with Adyen beside Stripe, and settings that a test may add."""
    async with with_adyen(psp_database, sandbox, **getattr(request, "param", {})) as started:
        yield started


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
    async with with_adyen(psp_database, sandbox, ADYEN_TIMEOUT_S="1.5") as gateway:
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
    await rested()
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
