"""Authorizations, captures and voids over real gRPC, PostgreSQL and Stripe's wire; the sandbox's
record is the truth.
"""

import asyncio
from pathlib import Path

import grpc
import pytest
from paymesh.psp.v1 import attempt_pb2 as noun

from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.gateway_commands import capture
from tests.unit.psp_gateway.sandbox import (
    DEADLINE_S,
    IMPATIENT,
    Gateway,
    Sandbox,
    gateway_process,
    running_sandbox,
    served,
    until_final,
)

HELD = [("authorization", 9999)]
KILLED = -9


async def test_charge_with_manual_capture_holds_the_money(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    """Nothing is taken; the attempt says until when it is held, and is no charge to be refunded."""
    attempt = (await gateway.hold()).attempt
    again = (await gateway.hold()).attempt
    refund = await gateway.refund()

    assert (attempt.kind, attempt.outcome) == (noun.Attempt.AUTHORIZATION, noun.Attempt.SUCCEEDED)
    assert attempt.expires_at.ToSeconds() == await sandbox.capture_before(attempt.psp_reference)
    assert again == attempt
    assert refund.refusal.reason == "CHARGE_NOT_FOUND"
    assert await sandbox.moved() == HELD


@pytest.mark.parametrize(("amount", "minor"), [("99.99", 9999), ("40.00", 4000)])
async def test_what_is_held_is_captured_once(
    gateway: Gateway, sandbox: Sandbox, amount: str, minor: int
) -> None:
    """All or a part is taken once; the same capture asked twice is one, and there is no other."""
    await gateway.hold()

    first = (await gateway.capture(amount=amount)).attempt
    second = (await gateway.capture(amount=amount)).attempt
    other = await gateway.capture(attempt_id="att_capture2", amount="1.00")

    assert (first.kind, first.outcome) == (noun.Attempt.CAPTURE, noun.Attempt.SUCCEEDED)
    assert (first.payment_id, first.amount, second) == ("pay_1", amount, first)
    assert not first.HasField("expires_at")
    assert other.refusal.reason == "ALREADY_CAPTURED"
    assert other.refusal.metadata["attemptId"] == "att_capture1"
    assert await sandbox.moved() == [*HELD, ("capture", minor)]


async def test_a_capture_is_given_back_up_to_what_it_took(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    """Of 40.00 captured, parts sum to 40.00 and not to what was held."""
    await gateway.hold()
    await gateway.capture(amount="40.00")

    parts = [
        await gateway.refund(
            attempt_id=f"att_refund{n}", charge_attempt_id="att_capture1", amount=amount
        )
        for n, amount in enumerate(["99.99", "30.00", "10.01", "10.00"])
    ]

    outcomes = [
        part.refusal.reason or noun.Attempt.Outcome.Name(part.attempt.outcome) for part in parts
    ]
    assert outcomes == ["REFUND_EXCEEDS_CHARGE", "SUCCEEDED"] * 2
    assert await sandbox.moved() == [*HELD, ("capture", 4000), ("refund", 3000), ("refund", 1000)]


async def test_what_is_held_is_let_go_once(gateway: Gateway, sandbox: Sandbox) -> None:
    """A void is one, however often it is asked, and nothing is captured after it."""
    await gateway.hold()

    first = (await gateway.void()).attempt
    second = (await gateway.void()).attempt
    late = await gateway.capture()

    assert (first.kind, first.outcome) == (noun.Attempt.VOID, noun.Attempt.SUCCEEDED)
    assert second == first
    assert late.refusal.reason == "ALREADY_VOIDED"
    assert await sandbox.moved() == [*HELD, ("void", 9999)]


async def test_captured_money_is_not_let_go(gateway: Gateway, sandbox: Sandbox) -> None:
    """After the capture only a refund gives it back."""
    await gateway.hold()
    await gateway.capture()

    late = await gateway.void()

    assert late.refusal.reason == "ALREADY_CAPTURED"
    assert await sandbox.moved() == [*HELD, ("capture", 9999)]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"amount": "100.00"}, "EXCEEDS_AUTHORIZATION"),
        ({"charge_attempt_id": "att_nobody"}, "CHARGE_NOT_FOUND"),
        ({"charge_attempt_id": "att_charged"}, "CHARGE_NOT_FOUND"),
        ({"currency": "EUR"}, "CHARGE_NOT_FOUND"),
        ({"amount": "1.001"}, "INVALID_AMOUNT"),
    ],
    ids=str,
)
async def test_only_what_is_held_is_captured(
    gateway: Gateway, sandbox: Sandbox, fields: dict[str, str], reason: str
) -> None:
    """More than is held, an automatic charge, another currency: refused before the PSP is asked."""
    await gateway.hold()
    await gateway.charge(attempt_id="att_charged")

    answer = await gateway.capture(**fields)

    assert answer.refusal.reason == reason
    assert ("capture", 9999) not in await sandbox.moved()


async def test_a_part_is_not_let_go(gateway: Gateway) -> None:
    """A void is of all that is held."""
    await gateway.hold()

    assert (await gateway.void(amount="1.00")).refusal.reason == "EXCEEDS_AUTHORIZATION"


async def test_words_at_once_end_the_hold_once(
    psp_database: ServiceDatabase, sandbox: Sandbox
) -> None:
    """Eight captures and eight voids over two gateways at once: one is taken up."""
    async with (
        served(psp_database, sandbox.url) as one,
        served(psp_database, sandbox.url) as two,
    ):
        await one.hold()
        answers = await asyncio.gather(
            *(one.capture(attempt_id=f"att_capture{n}") for n in range(8)),
            *(two.void(attempt_id=f"att_void{n}") for n in range(8)),
        )

    taken = [answer for answer in answers if answer.HasField("attempt")]
    assert len(taken) == 1
    reasons = {answer.refusal.reason for answer in answers if answer.HasField("refusal")}
    assert len(reasons) == 1
    assert reasons <= {"ALREADY_CAPTURED", "ALREADY_VOIDED"}
    assert len(await sandbox.moved()) == 2


TROUBLE: list[dict[str, object]] = [
    {"kind": "charge_then_timeout"},
    {"kind": "connection_reset_after"},
    {"kind": "error_before", "cached": False},
    {"kind": "error_before", "cached": True},
    {"kind": "error_after"},
    {"kind": "malformed"},
    {"kind": "wrong_amount"},
    {"kind": "rate_limit"},
    {"kind": "slow", "delay_ms": 900},
]


@pytest.mark.parametrize("gateway", [IMPATIENT], indirect=True)
@pytest.mark.parametrize("word", ["capture", "void"])
@pytest.mark.parametrize("fault", TROUBLE, ids=str)
async def test_trouble_ends_the_hold_once(
    gateway: Gateway, sandbox: Sandbox, fault: dict[str, object], word: str
) -> None:
    """Whatever happens on the way, the caller who asks on is told SUCCEEDED, and it happened
    once.
    """
    await gateway.hold()
    details = {name: value for name, value in fault.items() if name != "kind"}
    operation = {"capture": "capture", "void": "cancel"}[word]
    await sandbox.fault(str(fault["kind"]), match={"operation": operation}, **details)

    settled = await until_final(gateway.capture if word == "capture" else gateway.void)

    assert settled.outcome == noun.Attempt.SUCCEEDED
    assert await sandbox.moved() == [*HELD, (word, 9999)]


async def test_in_doubt_the_hold_stays_taken(gateway: Gateway, sandbox: Sandbox) -> None:
    """While nobody knows whether it was captured it is not let go, and the doubt ends as asked."""
    await gateway.hold()
    await sandbox.dark(dark=True)

    doubt = (await gateway.capture()).attempt
    rival = await gateway.void()
    await sandbox.dark(dark=False)
    settled = await until_final(gateway.capture)

    assert (doubt.outcome, doubt.reason) == (noun.Attempt.UNKNOWN, "NO_USABLE_ANSWER")
    assert rival.refusal.reason == "ALREADY_CAPTURED"
    assert settled.outcome == noun.Attempt.SUCCEEDED
    assert await sandbox.moved() == [*HELD, ("capture", 9999)]


async def test_a_hold_is_no_charge_of_the_same_id(gateway: Gateway, sandbox: Sandbox) -> None:
    """An attempt is held or charged, and says which when it is asked for as the other."""
    await gateway.hold()

    other = await gateway.charge()

    assert other.refusal.reason == "ATTEMPT_REUSED"
    assert other.refusal.metadata["differs"] == "kind"
    assert await sandbox.moved() == HELD


async def test_a_batch_is_answered_item_by_item(gateway: Gateway, sandbox: Sandbox) -> None:
    """Each capture has an answer in its place, whatever its neighbours have."""
    await gateway.hold()
    await gateway.hold(attempt_id="att_2", payment_id="pay_2")

    answers = await gateway.captures(
        capture(amount="0"),
        capture(attempt_id="att_capture2", charge_attempt_id="att_2", amount="1.00"),
        capture(attempt_id="att_capture3", charge_attempt_id="att_nobody"),
        capture(),
        capture(attempt_id="att_capture4"),
    )

    told = [answer.refusal.reason or answer.attempt.payment_id for answer in answers]
    assert told == ["INVALID_AMOUNT", "pay_2", "CHARGE_NOT_FOUND", "pay_1", "ALREADY_CAPTURED"]
    assert sorted(await sandbox.moved())[-2:] == [("capture", 100), ("capture", 9999)]


async def test_hold_of_an_unknown_outcome_is_found(gateway: Gateway, sandbox: Sandbox) -> None:
    """The confirmation's answer is lost: the intent's own state tells that it is held."""
    await sandbox.fault("connection_reset_after", match={"operation": "confirm"})

    settled = await until_final(gateway.hold)

    assert (settled.kind, settled.outcome) == (noun.Attempt.AUTHORIZATION, noun.Attempt.SUCCEEDED)
    assert settled.HasField("expires_at")
    assert await sandbox.moved() == HELD


async def test_what_was_held_for_too_long_is_gone(gateway: Gateway, sandbox: Sandbox) -> None:
    """The PSP lets go after seven days: a capture is declined, and a void finds it done."""
    await gateway.hold()
    await sandbox.advance(8 * 86_400)

    late = await until_final(gateway.capture)
    void = await until_final(gateway.void)

    assert (late.outcome, late.reason) == (noun.Attempt.DECLINED, "AUTHORIZATION_EXPIRED")
    assert void.outcome == noun.Attempt.SUCCEEDED
    assert await sandbox.moved() == [*HELD, ("void", 9999)]


@pytest.mark.parametrize("gateway", [IMPATIENT], indirect=True)
async def test_what_was_captured_in_time_stays_captured(gateway: Gateway, sandbox: Sandbox) -> None:
    """The answer is lost and the time runs out before the next look: it is told as it was."""
    await gateway.hold()
    await sandbox.fault("charge_then_timeout", match={"operation": "capture"})
    await sandbox.fault("error_before", cached=False, match={"operation": "retrieve"})

    lost = (await gateway.capture(amount="40.00")).attempt
    await sandbox.advance(8 * 86_400)
    settled = await until_final(lambda: gateway.capture(amount="40.00"))

    assert lost.outcome == noun.Attempt.UNKNOWN
    assert settled.outcome == noun.Attempt.SUCCEEDED
    assert await sandbox.moved() == [*HELD, ("capture", 4000)]


async def test_the_end_of_a_hold_survives_a_restart_of_the_psp(
    psp_database: ServiceDatabase, tmp_path: Path
) -> None:
    """A PSP that comes back tells the same end, and keeps to it."""
    async with running_sandbox(tmp_path) as first, served(psp_database, first.url) as gateway:
        attempt = (await gateway.hold()).attempt
        until = await first.capture_before(attempt.psp_reference)

    async with running_sandbox(tmp_path) as again, served(psp_database, again.url) as gateway:
        remembered = await again.capture_before(attempt.psp_reference)
        await again.advance(8 * 86_400)
        late = await until_final(gateway.capture)
        moved = await again.moved()

    assert attempt.expires_at.ToSeconds() == until == remembered
    assert late.reason == "AUTHORIZATION_EXPIRED"
    assert moved == [*HELD, ("void", 9999)]


@pytest.mark.parametrize("word", ["capture", "void"])
@pytest.mark.parametrize("moment", ["attempt_stored", "sent", "outcome_stored"])
async def test_killed_in_the_middle_it_is_finished_once(
    psp_database: ServiceDatabase, sandbox: Sandbox, word: str, moment: str
) -> None:
    """After kill -9 the next process tells SUCCEEDED; the sandbox did it once."""
    async with served(psp_database, sandbox.url) as gateway:
        await gateway.hold()
    sent = {"capture": "captured", "void": "voided"}[word]
    plan = f"psp.{sent if moment == 'sent' else moment}=kill"
    async with gateway_process(psp_database, sandbox.url, FAULT_POINTS=plan) as (killed, process):
        with pytest.raises(grpc.aio.AioRpcError):
            await (killed.capture if word == "capture" else killed.void)()
        code = await asyncio.wait_for(process.wait(), DEADLINE_S)

    async with served(psp_database, sandbox.url) as gateway:
        settled = await until_final(gateway.capture if word == "capture" else gateway.void)

    assert code == KILLED
    assert settled.outcome == noun.Attempt.SUCCEEDED
    assert await sandbox.moved() == [*HELD, (word, 9999)]
