"""Refunds over real gRPC, PostgreSQL and Stripe's wire; the sandbox's record is the truth."""

import asyncio

import pytest
from paymesh.psp.v1 import attempt_pb2 as noun

from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.gateway_commands import refund
from tests.unit.psp_gateway.sandbox import IMPATIENT, Gateway, Sandbox, served


async def given_back(sandbox: Sandbox) -> list[int]:
    """List the refunds of the record, in minor units."""
    return [amount for kind, amount in await sandbox.moved() if kind == "refund"]


async def test_a_charge_is_given_back_once(gateway: Gateway, sandbox: Sandbox) -> None:
    """The same refund asked twice moves money once, and belongs to the charge's payment."""
    await gateway.charge()

    first = (await gateway.refund()).attempt
    second = (await gateway.refund()).attempt

    assert first.outcome == noun.Attempt.SUCCEEDED
    assert (first.kind, first.payment_id) == (noun.Attempt.REFUND, "pay_1")
    assert first.psp_reference.startswith("re_")
    assert second == first
    assert await given_back(sandbox) == [9999]


async def test_parts_are_given_back_up_to_the_charge(gateway: Gateway, sandbox: Sandbox) -> None:
    """Parts may sum to the charge and not above it."""
    await gateway.charge()

    parts = [
        await gateway.refund(attempt_id=f"att_refund{n}", amount=amount)
        for n, amount in enumerate(["60.00", "40.00", "39.99", "0.01"])
    ]

    assert [part.attempt.outcome == noun.Attempt.SUCCEEDED for part in parts] == [
        True,
        False,
        True,
        False,
    ]
    assert parts[1].refusal.reason == "REFUND_EXCEEDS_CHARGE"
    assert dict(parts[1].refusal.metadata) == {"charged": "99.99", "refunded": "60.00"}
    assert parts[3].refusal.reason == "REFUND_EXCEEDS_CHARGE"
    assert await given_back(sandbox) == [6000, 3999]


async def test_refunds_at_once_never_pass_the_charge(
    psp_database: ServiceDatabase, sandbox: Sandbox
) -> None:
    """Twenty refunds of a tenth each, over two gateways at once: ten are given."""
    async with (
        served(psp_database, sandbox.url) as one,
        served(psp_database, sandbox.url) as two,
    ):
        await one.charge(amount="100.00")
        halves = await asyncio.gather(
            *(
                gateway.refunds(
                    *(refund(attempt_id=f"att_{name}{n}", amount="10.00") for n in range(10))
                )
                for gateway, name in ((one, "one"), (two, "two"))
            )
        )

    answers = [answer for half in halves for answer in half]
    refused = [answer.refusal.reason for answer in answers if answer.HasField("refusal")]
    assert refused == ["REFUND_EXCEEDS_CHARGE"] * 10
    assert await given_back(sandbox) == [1000] * 10


@pytest.mark.parametrize(
    "fields",
    [
        {"charge_attempt_id": "att_nobody"},
        {"charge_attempt_id": "att_declined"},
        {"currency": "EUR"},
    ],
    ids=str,
)
async def test_only_a_charge_that_succeeded_is_given_back(
    gateway: Gateway, sandbox: Sandbox, fields: dict[str, str]
) -> None:
    """No charge, a declined one, or another currency: there is nothing to give back."""
    await gateway.charge()
    await gateway.charge(attempt_id="att_declined", payment_token="pm_card_visa_chargeDeclined")

    answer = await gateway.refund(**fields)

    assert answer.refusal.reason == "CHARGE_NOT_FOUND"
    assert await given_back(sandbox) == []


async def test_a_refund_id_is_used_once(gateway: Gateway) -> None:
    """The same id with another amount, or of another kind, is refused."""
    await gateway.charge()
    await gateway.refund(amount="1.00")

    other_amount = await gateway.refund(amount="2.00")
    other_kind = await gateway.refund(attempt_id="att_1")

    assert other_amount.refusal.reason == "ATTEMPT_REUSED"
    assert other_amount.refusal.metadata["differs"] == "amount"
    assert other_kind.refusal.reason == "ATTEMPT_REUSED"
    assert "kind" in other_kind.refusal.metadata["differs"]


TROUBLE: list[dict[str, object]] = [
    {"kind": "charge_then_timeout"},
    {"kind": "connection_reset_after"},
    {"kind": "error_before", "cached": False},
    {"kind": "error_after"},
    {"kind": "malformed"},
    {"kind": "wrong_amount"},
    {"kind": "rate_limit"},
    {"kind": "slow", "delay_ms": 900},
]


@pytest.mark.parametrize("gateway", [IMPATIENT], indirect=True)
@pytest.mark.parametrize("fault", TROUBLE, ids=lambda fault: str(fault["kind"]))
async def test_trouble_ends_in_one_refund(
    gateway: Gateway, sandbox: Sandbox, fault: dict[str, object]
) -> None:
    """Whatever happens on the way, the caller who asks on is told SUCCEEDED, and money moved
    once.
    """
    await gateway.charge()
    details = {name: value for name, value in fault.items() if name != "kind"}
    await sandbox.fault(str(fault["kind"]), match={"operation": "refund"}, **details)

    settled = await gateway.settled_refund()

    assert settled.outcome == noun.Attempt.SUCCEEDED
    assert await given_back(sandbox) == [9999]


async def test_a_stored_error_of_a_refund_stays_unknown(gateway: Gateway, sandbox: Sandbox) -> None:
    """A refund is not once by state: when its key is spent on an error, a person decides, and the
    money stays counted as given.
    """
    await gateway.charge()
    await sandbox.fault("error_before", cached=True, match={"operation": "refund"})

    attempt = (await gateway.refund()).attempt
    another = await gateway.refund(attempt_id="att_refund2")

    assert (attempt.outcome, attempt.reason) == (noun.Attempt.UNKNOWN, "NO_USABLE_ANSWER")
    assert another.refusal.reason == "REFUND_EXCEEDS_CHARGE"
    assert await given_back(sandbox) == []


async def test_a_slow_refund_is_pending(gateway: Gateway) -> None:
    """What the PSP has accepted and not decided is PENDING."""
    await gateway.charge(payment_token="pm_card_pendingRefund")

    attempt = (await gateway.refund()).attempt

    assert attempt.outcome == noun.Attempt.PENDING
    assert attempt.psp_reference.startswith("re_")


async def test_attempts_of_a_payment_are_listed(gateway: Gateway) -> None:
    """A payment's attempts come oldest first, and no other payment's."""
    await gateway.charge(payment_token="pm_card_visa_chargeDeclined", attempt_id="att_0")
    await gateway.charge()
    await gateway.charge(attempt_id="att_other", payment_id="pay_2")
    await gateway.refund(amount="1.00")

    attempts = await gateway.attempts("pay_1")

    assert [(attempt.attempt_id, attempt.outcome) for attempt in attempts] == [
        ("att_0", noun.Attempt.DECLINED),
        ("att_1", noun.Attempt.SUCCEEDED),
        ("att_refund1", noun.Attempt.SUCCEEDED),
    ]
    assert await gateway.attempts("pay_nobody") == []
