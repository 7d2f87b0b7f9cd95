"""Payouts over real gRPC, PostgreSQL and the PSPs' wires; the sandbox's record is the truth."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from paymesh.psp.v1 import payout_pb2 as noun

from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.gateway_commands import payout
from tests.unit.psp_gateway.relay import relayed
from tests.unit.psp_gateway.sandbox import (
    DEADLINE_S,
    IMPATIENT,
    Gateway,
    Sandbox,
    every_psp,
    gateway_process,
    running_sandbox,
    served,
)

_OVER = (noun.Payout.PAID, noun.Payout.FAILED, noun.Payout.RETURNED)


async def settled(ask: Callable[[], Awaitable[noun.Payout]]) -> noun.Payout:
    """Ask until the PSP has decided."""
    async with asyncio.timeout(DEADLINE_S):
        while (found := await ask()).state not in _OVER:
            await asyncio.sleep(0.05)
    return found


async def paid_out(sandbox: Sandbox) -> list[int]:
    """List the payouts of the record, in minor units."""
    return [amount for kind, amount in await sandbox.moved() if kind == "payout"]


async def test_a_payout_is_made_once(gateway: Gateway, sandbox: Sandbox) -> None:
    """Asked twice, money moves once, and the trail of attempts has it."""
    first = (await gateway.payout()).payout
    second = (await gateway.payout()).payout

    assert first.state == noun.Payout.PAID
    assert first.psp_reference.startswith("tr_")
    assert first.HasField("paid_at")
    assert (first.request_count, first.reason) == (1, "")
    assert second == first
    assert await paid_out(sandbox) == [2500]
    assert await gateway.payouts_of("pout_1") == [first]


async def test_twenty_calls_at_once_pay_once(
    psp_database: ServiceDatabase, sandbox: Sandbox
) -> None:
    """Whichever instance of the gateway is asked."""
    async with (
        served(psp_database, sandbox.url) as one,
        served(psp_database, sandbox.url) as two,
    ):
        await asyncio.gather(*(gateway.payout() for gateway in (one, two) for _ in range(10)))
        found = await settled(lambda: _payout(one))

    assert found.state == noun.Payout.PAID
    assert await paid_out(sandbox) == [2500]


async def test_a_payout_has_one_attempt_at_a_time(gateway: Gateway, sandbox: Sandbox) -> None:
    """Another is refused while the first is under way or paid, and taken up when it has failed."""
    failed = (await gateway.payout(account="acct_poor")).payout
    first = (await gateway.payout(attempt_id="att_out2")).payout
    second = await gateway.payout(attempt_id="att_out3")

    assert (failed.state, failed.reason) == (noun.Payout.FAILED, "INSUFFICIENT_FUNDS")
    assert failed.psp_code == "balance_insufficient"
    assert first.state == noun.Payout.PAID
    assert second.refusal.reason == "PAYOUT_UNDER_WAY"
    assert dict(second.refusal.metadata) == {"attemptId": "att_out2"}
    assert await paid_out(sandbox) == [2500]
    assert [one.attempt_id for one in await gateway.payouts_of("pout_1")] == [
        "att_out1",
        "att_out2",
    ]


async def test_attempts_of_one_payout_in_one_batch_pay_once(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    """The first that is stored pays; the others are told of it."""
    items = [payout(attempt_id=f"att_out{n}") for n in range(5)]
    answers = await gateway.payouts(*items)

    assert sorted(answer.refusal.reason for answer in answers) == ["", *["PAYOUT_UNDER_WAY"] * 4]
    assert await paid_out(sandbox) == [2500]


@pytest.mark.parametrize(
    ("fields", "differs"),
    [
        ({"amount": "25.01"}, "amount"),
        ({"account": "acct_other"}, "destination"),
        ({"reference_text": "Another"}, "destination"),
        ({"payout_id": "pout_2"}, "payout_id"),
        ({"client_id": "other"}, "client_id"),
    ],
)
async def test_an_attempt_is_for_one_payout(
    gateway: Gateway, fields: dict[str, str], differs: str
) -> None:
    """The same id with other content is refused, though the destination is not stored."""
    await gateway.payout()

    answer = await gateway.payout(**fields)

    assert answer.refusal.reason == "ATTEMPT_REUSED"
    assert answer.refusal.metadata["differs"] == differs


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"amount": "0.00"}, "INVALID_AMOUNT"),
        ({"amount": "1.5", "currency": "JPY"}, "INVALID_AMOUNT"),
        ({"account": "ba_1"}, "INVALID_DESTINATION"),
        ({"psp": "nobody"}, "NO_ROUTE"),
    ],
    ids=str,
)
async def test_what_no_psp_takes_is_refused(
    gateway: Gateway, sandbox: Sandbox, fields: dict[str, str], reason: str
) -> None:
    """Before anything is stored or sent: the same attempt may be asked for rightly."""
    assert (await gateway.payout(**fields)).refusal.reason == reason
    assert (await gateway.payout()).payout.state == noun.Payout.PAID
    assert await paid_out(sandbox) == [2500]


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
async def test_trouble_ends_in_one_payout(
    gateway: Gateway, sandbox: Sandbox, fault: dict[str, object]
) -> None:
    """Whatever happens on the way, who asks on is told PAID, and money moved once."""
    details = {name: value for name, value in fault.items() if name != "kind"}
    await sandbox.fault(str(fault["kind"]), match={"operation": "payout"}, **details)

    found = await settled(lambda: _payout(gateway))

    assert found.state == noun.Payout.PAID
    assert await paid_out(sandbox) == [2500]


async def test_a_stored_error_stays_unknown(gateway: Gateway, sandbox: Sandbox) -> None:
    """A key that is spent on an error is not replaced by another: a person decides, and no other
    attempt is taken up.
    """
    await sandbox.fault("error_before", cached=True, match={"operation": "payout"})

    found = (await gateway.payout()).payout
    again = await gateway.payout(attempt_id="att_out2")

    assert (found.state, found.reason) == (noun.Payout.UNKNOWN, "NO_USABLE_ANSWER")
    assert again.refusal.reason == "PAYOUT_UNDER_WAY"
    assert await paid_out(sandbox) == []


async def test_dark_is_not_failed(gateway: Gateway, sandbox: Sandbox) -> None:
    """A PSP that hangs up has said nothing; when it answers again the payout goes through."""
    await sandbox.dark(dark=True)
    before = (await gateway.payout()).payout
    await sandbox.dark(dark=False)

    found = await settled(lambda: _payout(gateway))

    assert before.state == noun.Payout.UNKNOWN
    assert found.state == noun.Payout.PAID
    assert await paid_out(sandbox) == [2500]


@pytest.mark.parametrize("point", ["psp.payout_stored", "psp.paid_out", "psp.outcome_stored"])
async def test_a_crash_pays_once(
    psp_database: ServiceDatabase, sandbox: Sandbox, point: str
) -> None:
    """Killed before the call, after it, or after its outcome is stored: the next process ends
    it.
    """
    plan = {"FAULT_POINTS": f"{point}=kill"}
    async with gateway_process(psp_database, sandbox.url, **plan) as (gateway, process):
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever a dying server says
            await gateway.payout()
        await asyncio.wait_for(process.wait(), DEADLINE_S)
    async with served(psp_database, sandbox.url) as gateway:
        found = await settled(lambda: _payout(gateway))

    assert found.state == noun.Payout.PAID
    assert await paid_out(sandbox) == [2500]


async def _payout(gateway: Gateway) -> noun.Payout:
    return (await gateway.payout()).payout


@dataclass(frozen=True)
class Payee:
    """Where a PSP of the sandbox pays to, by what becomes of it."""

    psp: str
    paid: str
    back_s: float = 0.0
    comes_back: str = ""
    fails: str = ""
    failed_reason: str = ""


PAYEES = [
    Payee("stripe", "acct_seller", 86_400.0, "acct_reversed", "acct_poor", "INSUFFICIENT_FUNDS"),
    Payee("adyen", "SE1234567890", 3 * 86_400.0, "SEreturned", "SEfailed", "PROCESSING_ERROR"),
    Payee(
        "paypal",
        "seller@example.com",
        86_400.0,
        "returned@example.com",
        "failed@example.com",
        "PAYMENT_METHOD_INVALID",
    ),
    Payee("adyen", "BA1234567890"),  # pragma: allowlist secret
    Payee("paypal", "ABCDEFGH23456"),
]


@pytest.fixture
async def all_psps(
    psp_database: ServiceDatabase, sandbox: Sandbox, tmp_path: Path
) -> AsyncIterator[Gateway]:
    """A gateway to every PSP of the sandbox, without webhooks."""
    settings = {
        **every_psp(sandbox.url, tmp_path),
        **dict.fromkeys(("PAYPAL_WEBHOOK_ID", "PAYPAL_WEBHOOK_ROOTS"), ""),
        **dict.fromkeys(("ADYEN_TIMEOUT_S", "PAYPAL_TIMEOUT_S"), "1.5"),
    }
    async with served(psp_database, sandbox.url, **settings) as started:
        yield started


@pytest.mark.parametrize("payee", PAYEES, ids=lambda payee: f"{payee.psp} {payee.paid[:2]}")
async def test_every_psp_pays_once(all_psps: Gateway, sandbox: Sandbox, payee: Payee) -> None:
    """At once or a little later, PAID, with the PSP's own id, however often it is asked."""

    async def ask() -> noun.Payout:
        await sandbox.advance(2)
        return (await all_psps.payout(psp=payee.psp, account=payee.paid)).payout

    found = await settled(ask)
    again = await ask()

    assert found.state == noun.Payout.PAID
    assert found.psp_reference
    assert again == found
    assert await sandbox.moved(attempt_id="att_out1") == [("payout", 2500)]


@pytest.mark.parametrize("fault", TROUBLE, ids=lambda fault: str(fault["kind"]))
@pytest.mark.parametrize("payee", PAYEES[1:3], ids=lambda payee: payee.psp)
async def test_trouble_at_every_psp_ends_in_one_payout(
    all_psps: Gateway, sandbox: Sandbox, payee: Payee, fault: dict[str, object]
) -> None:
    """The same holds where the PSP says at first only that it has accepted."""
    details = {name: value for name, value in fault.items() if name != "kind"}
    match = {"operation": "payout", "psp": payee.psp}
    await sandbox.fault(str(fault["kind"]), match=match, **details)

    async def ask() -> noun.Payout:
        await sandbox.advance(2)
        return (await all_psps.payout(psp=payee.psp, account=payee.paid)).payout

    found = await settled(ask)

    assert found.state == noun.Payout.PAID
    assert await sandbox.moved(attempt_id="att_out1") == [("payout", 2500)]


@pytest.mark.parametrize("payee", [one for one in PAYEES if one.fails], ids=lambda payee: payee.psp)
async def test_what_fails_has_not_left(all_psps: Gateway, sandbox: Sandbox, payee: Payee) -> None:
    """FAILED with the reason and the PSP's own word; another attempt may be made."""

    async def ask() -> noun.Payout:
        await sandbox.advance(2)
        return (await all_psps.payout(psp=payee.psp, account=payee.fails)).payout

    found = await settled(ask)
    another = await all_psps.payout(attempt_id="att_out2", psp=payee.psp, account=payee.paid)

    assert (found.state, found.reason) == (noun.Payout.FAILED, payee.failed_reason)
    assert found.psp_code
    assert await sandbox.moved(attempt_id="att_out1") == []
    assert another.payout.state in (noun.Payout.PAID, noun.Payout.SUBMITTED)


@pytest.mark.parametrize(
    "payee", [one for one in PAYEES if one.comes_back], ids=lambda payee: payee.psp
)
async def test_what_was_paid_can_come_back(
    psp_database: ServiceDatabase, tmp_path: Path, payee: Payee
) -> None:
    """A webhook says that there is news; the PSP is asked, and PAID becomes RETURNED."""
    async with AsyncExitStack() as stack:
        relay = await stack.enter_async_context(relayed())
        sandbox = await stack.enter_async_context(running_sandbox(tmp_path, webhook_url=relay.url))
        settings = every_psp(sandbox.url, tmp_path)
        gateway = await stack.enter_async_context(served(psp_database, sandbox.url, **settings))
        relay.gateway = gateway

        async def ask() -> noun.Payout:
            await sandbox.advance(2)
            return (await gateway.payout(psp=payee.psp, account=payee.comes_back)).payout

        paid = await settled(ask)
        await sandbox.advance(payee.back_s + 5)
        async with asyncio.timeout(DEADLINE_S):
            while (found := (await gateway.payouts_of("pout_1"))[0]).state == noun.Payout.PAID:
                await asyncio.sleep(0.05)

    assert paid.state == noun.Payout.PAID
    assert found.state == noun.Payout.RETURNED
    assert found.paid_at == paid.paid_at
    assert found.reason
