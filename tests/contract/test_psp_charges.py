"""Charges over real gRPC, PostgreSQL and Stripe's wire; the sandbox's record is the truth."""

import asyncio

import grpc
import psycopg
import pytest
from paymesh.psp.v1 import attempt_pb2 as noun
from paymesh.psp.v1 import psp_gateway_service_pb2 as service

from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.gateway_commands import charge
from tests.unit.psp_gateway.sandbox import (
    DEADLINE_S,
    SECRET_KEY,
    Gateway,
    Sandbox,
    served,
)

ONE_CHARGE = [("charge", 9999)]


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


async def test_attempts_of_many_payments_are_listed_at_once(gateway: Gateway) -> None:
    """By payment, the oldest first; of those that are not asked for, or not there, none."""
    for number, payment_id in enumerate(("pay_2", "pay_1", "pay_2", "pay_3")):
        await gateway.charge(attempt_id=f"att_{number}", payment_id=payment_id)
    request = service.ListAttemptsOfPaymentsRequest(payment_ids=["pay_2", "pay_1", "pay_9"])

    answer = await gateway.stub.ListAttemptsOfPayments(request, timeout=DEADLINE_S)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await gateway.stub.ListAttemptsOfPayments(service.ListAttemptsOfPaymentsRequest())

    assert [one.attempt_id for one in answer.attempts] == ["att_1", "att_0", "att_2"]
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("token", "reason", "psp_code"),
    [
        ("pm_card_visa_chargeDeclined", "CARD_DECLINED", "generic_decline"),
        (
            "pm_card_visa_chargeDeclinedInsufficientFunds",
            "INSUFFICIENT_FUNDS",
            "insufficient_funds",
        ),
        ("pm_card_visa_chargeDeclinedLostCard", "CARD_LOST_OR_STOLEN", "lost_card"),
        ("pm_card_chargeDeclinedExpiredCard", "CARD_EXPIRED", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "INCORRECT_SECURITY_CODE", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "PROCESSING_ERROR", "processing_error"),
    ],
)
async def test_a_decline_is_final_and_named(
    gateway: Gateway, sandbox: Sandbox, token: str, reason: str, psp_code: str
) -> None:
    """A declined attempt tells why, and asked again it never charges."""
    attempt = (await gateway.charge(payment_token=token)).attempt
    again = (await gateway.charge(payment_token=token)).attempt

    assert attempt.outcome == noun.Attempt.DECLINED
    assert (attempt.reason, attempt.psp_code) == (reason, psp_code)
    assert attempt.message
    assert again == attempt
    assert [kind for kind, _ in await sandbox.moved(attempt_id="att_1")] == ["decline"]


@pytest.mark.parametrize(
    ("result", "outcome"),
    [("complete", noun.Attempt.SUCCEEDED), ("fail", noun.Attempt.DECLINED)],
)
async def test_the_buyer_authenticates(
    psp_database: ServiceDatabase, sandbox: Sandbox, result: str, outcome: int
) -> None:
    """3-D Secure is ACTION_REQUIRED with a page to go to, until the buyer has been there."""
    token = "pm_card_threeDSecure2Required"
    async with served(
        psp_database, sandbox.url, STRIPE_RETURN_URL="https://shop.example/back"
    ) as gateway:
        waiting = (await gateway.charge(payment_token=token)).attempt
        await sandbox.authenticate(waiting.psp_reference, result)
        settled = await gateway.settled(payment_token=token)

    assert waiting.outcome == noun.Attempt.ACTION_REQUIRED
    assert waiting.redirect_url.startswith("http")
    assert settled.outcome == outcome
    assert settled.redirect_url == ""


async def test_the_same_attempt_at_once_runs_once(gateway: Gateway, sandbox: Sandbox) -> None:
    """Many calls for one attempt join one execution."""
    answers = await asyncio.gather(*(gateway.charge() for _ in range(20)))

    assert {answer.attempt.outcome for answer in answers} == {noun.Attempt.SUCCEEDED}
    assert {answer.attempt.request_count for answer in answers} == {2}
    assert await sandbox.moved(payment_id="pay_1") == ONE_CHARGE


async def test_two_gateways_share_one_attempt(
    psp_database: ServiceDatabase, sandbox: Sandbox
) -> None:
    """Two processes' worth of gateway asked for one attempt charge once and end up agreeing."""
    await sandbox.fault("slow", delay_ms=300, times=4)
    async with (
        served(psp_database, sandbox.url) as one,
        served(psp_database, sandbox.url) as two,
    ):
        settled = await asyncio.gather(one.settled(), two.settled())

    assert {attempt.outcome for attempt in settled} == {noun.Attempt.SUCCEEDED}
    assert await sandbox.moved(payment_id="pay_1") == ONE_CHARGE


async def test_a_slow_charge_goes_on_after_the_answer(
    psp_database: ServiceDatabase, sandbox: Sandbox
) -> None:
    """What takes longer than the answer time is PENDING; the next call joins it."""
    await sandbox.fault("slow", delay_ms=2_000)
    async with served(psp_database, sandbox.url, PSP_ANSWER_S="1") as gateway:
        first = (await gateway.charge()).attempt
        settled = await gateway.settled()

    assert first.outcome == noun.Attempt.PENDING
    assert first.delivery == noun.Attempt.SENT_NO_ANSWER
    assert (settled.outcome, settled.request_count) == (noun.Attempt.SUCCEEDED, 2)
    assert await sandbox.moved(payment_id="pay_1") == ONE_CHARGE


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount", "99.98"),
        ("currency", "EUR"),
        ("payment_id", "pay_2"),
        ("client_id", "other"),
        ("payment_token", "pm_card_visa"),
    ],
)
async def test_an_attempt_id_is_used_once(gateway: Gateway, field: str, value: str) -> None:
    """The same id with other content is refused, and told what differs."""
    await gateway.charge()

    refusal = (await gateway.charge(**{field: value})).refusal

    assert refusal.reason == "ATTEMPT_REUSED"
    assert dict(refusal.metadata) == {"attemptId": "att_1", "differs": field}


async def test_a_refused_item_never_fails_its_neighbours(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    """Each item of a batch is answered for itself, in order."""
    answers = await gateway.charges(
        charge(attempt_id="att_1"),
        charge(attempt_id="att_2", amount="0"),
        charge(attempt_id="att_3", currency="XXX"),
        charge(attempt_id="att_4", currency="KWD", amount="1.234"),
        charge(attempt_id="att_5", payment_token="pm_card_visa_chargeDeclined"),
        charge(attempt_id="att_1"),
        charge(attempt_id="att_1", amount="1.00"),
    )

    reasons = [answer.refusal.reason for answer in answers]
    outcomes = [answer.attempt.outcome for answer in answers]
    assert reasons == ["", "INVALID_AMOUNT", "NO_ROUTE", "INVALID_AMOUNT", "", "", "ATTEMPT_REUSED"]
    assert outcomes[0] == outcomes[5] == noun.Attempt.SUCCEEDED
    assert outcomes[4] == noun.Attempt.DECLINED
    assert await sandbox.moved(attempt_id="att_1") == ONE_CHARGE


@pytest.mark.parametrize(
    "fields",
    [{"attempt_id": "ATT 1"}, {"payment_id": "1"}, {"currency": "usd"}, {"payment_token": "a b"}],
    ids=str,
)
async def test_what_the_contract_does_not_allow_is_refused(
    gateway: Gateway, fields: dict[str, str]
) -> None:
    """A request that breaks a rule of the contract is INVALID_ARGUMENT, before anything is
    stored.
    """
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await gateway.charge(**fields)

    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert await gateway.attempts("pay_1") == []


async def test_the_token_and_the_key_are_nowhere(
    gateway: Gateway, psp_database: ServiceDatabase
) -> None:
    """The database holds neither what pays nor our secret key; the trail holds each request."""
    await gateway.charge(payment_token="tok_canary_secret")

    with psycopg.connect(psp_database.owner_url) as connection:
        attempts = connection.execute("SELECT attempts::text FROM attempts").fetchall()
        events = connection.execute(
            "SELECT operation, answer, attempt_events::text FROM attempt_events ORDER BY event_id"
        ).fetchall()
    text = f"{attempts}{events}"
    assert "tok_canary_secret" not in text
    assert SECRET_KEY not in text
    assert [event[:2] for event in events] == [
        ("SEND_CREATE", "CREATED"),
        ("SEND_CONFIRM", "ANSWERED:SUCCEEDED"),
    ]


async def test_the_trail_cannot_be_changed(psp_database: ServiceDatabase) -> None:
    """The app role may add to the trail and nothing else, and deletes nothing."""
    for statement in (
        "UPDATE attempt_events SET answer = ''",
        "DELETE FROM attempt_events",
        "DELETE FROM attempts",
    ):
        with (
            psycopg.connect(psp_database.app_url) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(statement)


async def test_a_full_batch_commits_in_groups(
    psp_database: ServiceDatabase, sandbox: Sandbox
) -> None:
    """256 charges at once take far fewer commits than one each."""
    asked = [charge(attempt_id=f"att_{n}", payment_id=f"pay_{n}") for n in range(256)]

    async with served(psp_database, sandbox.url, PSP_ANSWER_S="30") as gateway:
        answers = await gateway.charges(*asked)

    with psycopg.connect(psp_database.owner_url) as connection:
        # Rows that a transaction wrote last carry its id.
        last_writers = connection.execute("SELECT DISTINCT xmin::text FROM attempts").fetchall()
    assert {answer.attempt.outcome for answer in answers} == {noun.Attempt.SUCCEEDED}
    assert len(last_writers) < 128
    assert len(await sandbox.moved()) == 256


async def test_a_challenge_that_nobody_takes_is_taken_back(
    psp_database: ServiceDatabase, sandbox: Sandbox
) -> None:
    """After its deadline the PaymentIntent is canceled at the PSP, and only then it is declined."""
    async with served(psp_database, sandbox.url, PSP_ABANDON_AFTER_S="0.5") as gateway:
        token = "pm_card_threeDSecure2Required"
        waiting = (await gateway.charge(payment_token=token)).attempt
        assert waiting.outcome == noun.Attempt.ACTION_REQUIRED
        ended = await gateway.settled(payment_token=token)

    assert (ended.outcome, ended.reason) == (noun.Attempt.DECLINED, "AUTHENTICATION_ABANDONED")
    moved = [kind for kind, _ in await sandbox.moved(attempt_id="att_1")]
    assert moved in ([], ["void"])
