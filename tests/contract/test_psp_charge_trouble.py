"""Charges in trouble over real gRPC, PostgreSQL and Stripe's wire: they end in one charge, or in a
doubt.
"""

import pytest
from paymesh.psp.v1 import attempt_pb2 as noun

from tests.servers import ServiceDatabase, free_port
from tests.unit.psp_gateway.sandbox import IMPATIENT, Gateway, Sandbox, served

ONE_CHARGE = [("charge", 9999)]


TROUBLE: list[dict[str, object]] = [
    {"kind": "charge_then_timeout"},
    {"kind": "connection_reset_after", "match": {"operation": "create"}},
    {"kind": "connection_reset_after", "match": {"operation": "confirm"}},
    {"kind": "error_before", "cached": False, "match": {"operation": "create"}},
    {"kind": "error_before", "cached": True, "match": {"operation": "create"}},
    {"kind": "error_before", "cached": False, "match": {"operation": "confirm"}},
    {"kind": "error_before", "cached": True, "match": {"operation": "confirm"}},
    {"kind": "error_after", "match": {"operation": "create"}},
    {"kind": "error_after", "match": {"operation": "confirm"}},
    {"kind": "malformed", "match": {"operation": "create"}},
    {"kind": "malformed", "match": {"operation": "confirm"}},
    {"kind": "malformed", "match": {"operation": "create"}, "times": 3},
    {"kind": "wrong_amount", "match": {"operation": "create"}},
    {"kind": "wrong_amount", "match": {"operation": "confirm"}},
    {"kind": "rate_limit", "match": {"operation": "create"}},
    {"kind": "rate_limit", "match": {"operation": "confirm"}},
    {"kind": "slow", "delay_ms": 900, "match": {"operation": "create"}},
    {"kind": "slow", "delay_ms": 900, "match": {"operation": "confirm"}},
]


@pytest.mark.parametrize("gateway", [IMPATIENT], indirect=True)
@pytest.mark.parametrize("fault", TROUBLE, ids=lambda fault: "-".join(map(str, fault.values())))
async def test_trouble_ends_in_one_charge(
    gateway: Gateway, sandbox: Sandbox, fault: dict[str, object]
) -> None:
    """Whatever happens on the way, the caller who asks on is told SUCCEEDED, and money moved
    once.
    """
    kind = str(fault["kind"])
    await sandbox.fault(kind, **{name: value for name, value in fault.items() if name != "kind"})

    settled = await gateway.settled()

    assert settled.outcome == noun.Attempt.SUCCEEDED
    assert await sandbox.moved(payment_id="pay_1") == ONE_CHARGE


@pytest.mark.parametrize("gateway", [IMPATIENT], indirect=True)
async def test_a_charge_without_an_answer_is_looked_up(gateway: Gateway, sandbox: Sandbox) -> None:
    """A confirm that charged and timed out is found by its id at once, without a second one."""
    await sandbox.fault("charge_then_timeout")

    attempt = (await gateway.charge()).attempt

    assert attempt.outcome == noun.Attempt.SUCCEEDED
    assert attempt.request_count == 3
    assert await sandbox.moved(payment_id="pay_1") == ONE_CHARGE


async def test_a_wrong_amount_is_never_success(gateway: Gateway, sandbox: Sandbox) -> None:
    """An answer that differs from what was asked is UNKNOWN, however well it sounds."""
    await sandbox.fault("wrong_amount", times=3)

    attempt = (await gateway.charge()).attempt

    assert (attempt.outcome, attempt.reason) == (noun.Attempt.UNKNOWN, "AMOUNT_MISMATCH")


async def test_a_rate_limit_is_transient(gateway: Gateway, sandbox: Sandbox) -> None:
    """Told to slow down, nothing happened, and asking again charges."""
    await sandbox.fault("rate_limit", match={"operation": "confirm"})

    attempt = (await gateway.charge()).attempt
    before = await sandbox.moved(payment_id="pay_1")
    settled = await gateway.settled()

    assert (attempt.outcome, attempt.reason) == (noun.Attempt.TRANSIENT, "PSP_RATE_LIMITED")
    assert before == []
    assert settled.outcome == noun.Attempt.SUCCEEDED


async def test_a_rate_limit_after_a_doubt_is_still_a_doubt(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    """That a repetition was refused says nothing of the request before it."""
    await sandbox.fault("error_before", cached=False, match={"operation": "confirm"})
    await sandbox.fault("rate_limit", skip=1, match={"operation": "confirm"})

    attempt = (await gateway.charge()).attempt
    settled = await gateway.settled()

    assert (attempt.outcome, attempt.reason) == (noun.Attempt.UNKNOWN, "PSP_RATE_LIMITED")
    assert settled.outcome == noun.Attempt.SUCCEEDED
    assert await sandbox.moved(payment_id="pay_1") == ONE_CHARGE


async def test_nobody_there_is_not_sent(psp_database: ServiceDatabase) -> None:
    """A refused connection means that nothing left, so nothing happened."""
    async with served(psp_database, f"http://127.0.0.1:{free_port()}") as gateway:
        attempt = (await gateway.charge()).attempt

    assert (attempt.outcome, attempt.reason) == (noun.Attempt.TRANSIENT, "PSP_UNREACHABLE")
    assert attempt.delivery == noun.Attempt.NOT_SENT


async def test_a_dark_psp_is_unknown_until_it_is_back(gateway: Gateway, sandbox: Sandbox) -> None:
    """A connection that is hung up on may have carried the request."""
    await sandbox.dark(dark=True)
    attempt = (await gateway.charge()).attempt
    await sandbox.dark(dark=False)
    settled = await gateway.settled()

    assert (attempt.outcome, attempt.delivery) == (
        noun.Attempt.UNKNOWN,
        noun.Attempt.SENT_NO_ANSWER,
    )
    assert settled.outcome == noun.Attempt.SUCCEEDED
    assert await sandbox.moved(payment_id="pay_1") == ONE_CHARGE


async def test_a_wrong_secret_key_changes_nothing(
    psp_database: ServiceDatabase, sandbox: Sandbox
) -> None:
    """A 401 is our configuration: nothing happened, and it is worth trying again."""
    wrong = {"STRIPE_API_KEY": "nonsense"}  # pragma: allowlist secret
    async with served(psp_database, sandbox.url, **wrong) as gateway:
        attempt = (await gateway.charge()).attempt

    assert (attempt.outcome, attempt.reason) == (noun.Attempt.TRANSIENT, "PSP_REQUEST_INVALID")
