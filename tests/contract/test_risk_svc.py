"""risk_svc over real gRPC, PostgreSQL and Redis."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import grpc
import psycopg
import pytest
from paymesh.risk.v1 import risk_service_pb2 as risk
from paymesh.risk.v1.risk_service_pb2_grpc import (
    RiskServiceStub,
    add_RiskServiceServicer_to_server,
)
from redis.asyncio import Redis

from chassis.server import Wiring, add_wiring, make_server
from risk_svc.counter import RedisAttemptCounter
from risk_svc.domain.assessment import Subject
from risk_svc.servicer import RiskAssessor
from risk_svc.store import PostgresAssessmentStore
from risk_svc.use_cases.assess_payments import Limits
from tests.builders import NOW, make_id
from tests.conftest import opened
from tests.servers import ServiceDatabase, free_port

LIMITS = Limits(
    velocity={Subject.BUYER: 10, Subject.CARD: 5, Subject.IP: 20},
    amount=Decimal(1000),
    amount_by_currency={"JPY": Decimal(0)},
)


class Desk:
    """A served risk_svc with a clock that a test can move."""

    def __init__(self) -> None:
        self.now = NOW
        self.stub: Any = None
        self.database_url = ""


async def serve(desk: Desk, database: Any, redis: Redis) -> grpc.aio.Server:
    """Serve risk_svc on a free port."""
    assessor = RiskAssessor(
        PostgresAssessmentStore(database),
        RedisAttemptCounter(redis, b"key"),
        limits=LIMITS,
        clock=lambda: desk.now,
    )
    server = make_server("risk.paymesh", 10, 100)
    register = partial(add_RiskServiceServicer_to_server, assessor)
    add_wiring(server, Wiring(register=(register,), names=()), with_reflection=False)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    desk.stub = RiskServiceStub(grpc.aio.insecure_channel(f"127.0.0.1:{port}"))
    return server


@pytest.fixture
async def desk(risk_database: ServiceDatabase, redis_url: str) -> AsyncIterator[Desk]:
    """Serve risk_svc with real parts."""
    desk = Desk()
    desk.database_url = risk_database.app_url
    async with opened(risk_database) as database, Redis.from_url(redis_url) as redis:
        await redis.flushall()
        server = await serve(desk, database, redis)
        yield desk
        await server.stop(None)


def facts(**changes: Any) -> risk.PaymentFacts:
    """Write what a payment is judged by; a new payment each time."""
    told = {
        "payment_id": make_id("pay"), "client_id": "demo", "buyer_id": make_id("buy"),
        "card_fingerprint": make_id("crd").encode().hex().ljust(64, "0")[:64], "amount": "10.00",
        "currency": "USD", "seller_accounts": ["s"],
    }  # fmt: skip
    return risk.PaymentFacts(**{**told, **changes})


async def assess(desk: Desk, *payments: risk.PaymentFacts) -> list[tuple[str, list[str]]]:
    """Assess payments; answer decision and rules."""
    answer = await desk.stub.AssessPayments(risk.AssessPaymentsRequest(payments=payments))
    names = risk.Assessment.Decision.Name
    return [(names(a.decision), [hit.rule for hit in a.rule_hits]) for a in answer.assessments]


@pytest.mark.parametrize(
    ("field", "value", "limit", "rule"),
    [
        ("buyer_id", "b", 10, "velocity_buyer"),
        ("card_fingerprint", "a" * 64, 5, "velocity_card"),
        ("ip_address", "192.0.2.7", 20, "velocity_ip"),
    ],
)
async def test_limits_are_exact(desk: Desk, field: str, value: str, limit: int, rule: str) -> None:
    """The last allowed attempt passes, the next is refused, one by one and in a batch."""
    answers = await assess(desk, *(facts(**{field: value}) for _ in range(limit)))
    beyond = await assess(desk, facts(**{field: value}))

    assert answers == [("APPROVED", [])] * limit
    assert beyond == [("REFUSED", [rule])]


async def test_hour_passes(desk: Desk) -> None:
    """After an hour attempts no longer count."""
    await assess(desk, *(facts(card_fingerprint="a" * 64) for _ in range(6)))
    desk.now += timedelta(hours=1, seconds=1)

    assert await assess(desk, facts(card_fingerprint="a" * 64)) == [("APPROVED", [])]


async def test_same_payment_counts_once_and_answers_the_same(desk: Desk) -> None:
    """Asking again is no further attempt, and never changes the decision."""
    first = facts(card_fingerprint="a" * 64)

    for _ in range(20):
        assert await assess(desk, first) == [("APPROVED", [])]
    more = await assess(desk, *(facts(card_fingerprint="a" * 64) for _ in range(4)))

    assert more == [("APPROVED", [])] * 4


async def test_clients_do_not_share_buyers(desk: Desk) -> None:
    """Buyer b of one client is not buyer b of another."""
    await assess(desk, *(facts(buyer_id="b") for _ in range(11)))

    assert await assess(desk, facts(buyer_id="b", client_id="other")) == [("APPROVED", [])]


async def test_amount_limit(desk: Desk) -> None:
    """An amount over the limit is refused; a currency may have its own, and 0 is none."""
    answers = await assess(
        desk, facts(amount="1000.00"), facts(amount="1000.01"), facts(amount="9999", currency="JPY")
    )

    assert answers == [("APPROVED", []), ("REFUSED", ["amount_limit"]), ("APPROVED", [])]


async def test_without_redis_nothing_is_decided(risk_database: ServiceDatabase) -> None:
    """What cannot be counted is not let through, and nothing is stored."""
    desk = Desk()
    async with opened(risk_database) as database:
        server = await serve(desk, database, Redis(port=free_port()))
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await assess(desk, facts())
        await server.stop(None)

    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    with psycopg.connect(risk_database.app_url) as connection:
        assert connection.execute("SELECT count(*) FROM assessments").fetchone() == (0,)


async def test_stored_decision_outlives_redis(desk: Desk, redis_url: str) -> None:
    """Redis may lose everything: what was decided stays decided."""
    refused = facts(amount="5000.00")
    await assess(desk, refused)
    async with Redis.from_url(redis_url) as redis:
        await redis.flushall()

    assert await assess(desk, refused) == [("REFUSED", ["amount_limit"])]


async def test_decision_cannot_be_changed(desk: Desk) -> None:
    """The service's own role may not update or delete an assessment."""
    await assess(desk, facts())

    for statement in ("DELETE FROM assessments", "UPDATE assessments SET decision = 'APPROVED'"):
        with (
            psycopg.connect(desk.database_url) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(statement)  # type: ignore[arg-type]


async def test_unknown_payment_has_no_assessment(desk: Desk) -> None:
    """Reading what was never decided is NOT_FOUND."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await desk.stub.GetAssessment(risk.GetAssessmentRequest(payment_id=make_id("pay")))

    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
