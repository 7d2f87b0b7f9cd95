"""What persons say of unknown attempts, over real gRPC, PostgreSQL and Stripe's wire; the sandbox's
record is the truth, and the PSP's own word wins.
"""

import asyncio
from typing import Any

import grpc
import pytest
from paymesh.psp.v1 import attempt_pb2 as noun
from paymesh.psp.v1 import attempt_resolution_service_pb2 as resolutions
from paymesh.psp.v1 import psp_gateway_service_pb2 as service

from tests.unit.psp_gateway.sandbox import Gateway, Sandbox

ONE_CHARGE = [("charge", 9999)]
SILENT = {"kind": "malformed", "match": {"operation": "retrieve"}, "times": 1000}
_Attempt = noun.Attempt


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


async def halved(gateway: Gateway, *, held: bool = False) -> noun.Attempt:
    """Make an attempt of which the PSP took, or holds, half of what was asked for."""
    ask = gateway.hold if held else gateway.charge
    attempt = (await ask(payment_token="pm_card_partial")).attempt
    assert (attempt.outcome, attempt.reason) == (_Attempt.UNKNOWN, "AMOUNT_MISMATCH")
    assert attempt.message.endswith("It says 49.99 USD.")
    return attempt


HALF = {"outcome": _Attempt.DECLINED, "amount": "49.99"}


async def test_the_other_amount_is_kept_as_a_late_charge_and_can_be_given_back(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    """The attempt is over; what was taken is one of its own, refunded under the guard, once."""
    attempt = await halved(gateway)

    results = await asyncio.gather(*(resolve(gateway, attempt, **HALF) for _ in range(6)))
    again = (await resolve(gateway, attempt, **HALF)).attempt
    asked = (await gateway.charge(payment_token="pm_card_partial")).attempt
    late_id = f"{attempt.attempt_id}l1"
    kept = {one.attempt_id: one for one in await gateway.attempts("pay_1")}
    back = {"charge_attempt_id": late_id, "amount": "49.99"}
    too_much = await gateway.refund(
        charge_attempt_id=late_id, attempt_id=f"{late_id}r2", amount="99.99"
    )
    refunds = [await gateway.refund(attempt_id=f"{late_id}r1", **back) for _ in range(2)]

    assert {(r.attempt.outcome, r.attempt.reason) for r in results} == {
        (_Attempt.DECLINED, "AMOUNT_MISMATCH")
    }
    assert again == asked
    assert "given back" in asked.message
    late = kept.pop(late_id)
    assert [*kept] == [attempt.attempt_id]
    assert (late.outcome, late.amount, late.currency) == (_Attempt.SUCCEEDED, "49.99", "USD")
    assert late.psp_reference == attempt.psp_reference
    assert too_much.refusal.reason == "REFUND_EXCEEDS_CHARGE"
    assert {refund.attempt.outcome for refund in refunds} == {_Attempt.SUCCEEDED}
    assert await sandbox.money() == [("charge", 4999), ("refund", 4999)]


async def test_half_of_a_hold_is_let_go_of(gateway: Gateway, sandbox: Sandbox) -> None:
    """What is only held is kept as held, and a void of it lets go of all."""
    attempt = await halved(gateway, held=True)

    await resolve(gateway, attempt, **HALF)
    late_id = f"{attempt.attempt_id}l1"
    gone = await gateway.void(charge_attempt_id=late_id, attempt_id=f"{late_id}v1", amount="49.99")

    assert gone.attempt.outcome == _Attempt.SUCCEEDED
    assert await sandbox.money() == [("authorization", 4999), ("void", 4999)]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"amount": "50.00"}, "the PSP says 49.99 USD"),
        ({"currency": "EUR"}, "the PSP says 49.99 USD"),
        ({"amount": "99.99"}, "what was asked for"),
        ({"psp_reference": "pi_another"}, "the PSP knows it as pi_"),
        (NO, "it has taken 49.99 USD"),
        ({"outcome": _Attempt.SUCCEEDED}, "99.99 USD was asked for"),
        ({"outcome": _Attempt.SUCCEEDED, "amount": "99.99"}, "the PSP says AMOUNT_MISMATCH"),
    ],
    ids=str,
)
async def test_a_figure_that_was_misread_gives_nothing_back(
    gateway: Gateway, said: dict[str, Any], why: str
) -> None:
    """The PSP's own figure is held against it; the attempt stays unknown, and nothing is kept."""
    attempt = await halved(gateway)

    refusal = (await resolve(gateway, attempt, **{**HALF, **said})).refusal

    assert refusal.reason == "RESOLUTION_CONTRADICTED"
    assert why in refusal.message
    (kept,) = await gateway.attempts("pay_1")
    assert kept.outcome == _Attempt.UNKNOWN


async def test_another_amount_is_no_figure_of_persons_alone(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    """Where the PSP can be asked and is silent, or says that it did as asked, nothing is kept."""
    attempt = await halved(gateway)
    await silence(sandbox)
    silent = await resolve(gateway, attempt, **HALF)
    await speak(sandbox)
    honest = (await gateway.charge(attempt_id="att_2", payment_id="pay_2")).attempt
    right = await resolve(gateway, honest, **HALF)

    assert "does not tell now" in silent.refusal.message
    assert right.attempt.outcome == _Attempt.SUCCEEDED
    assert [a.attempt_id for a in await gateway.attempts("pay_2")] == ["att_2"]
