"""risk_svc over real gRPC, PostgreSQL and Redis."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar

import grpc
import psycopg
import pytest
from grpc_status import rpc_status
from paymesh.risk.v1 import risk_service_pb2 as risk
from paymesh.risk.v1.risk_service_pb2_grpc import (
    RiskServiceStub,
    add_RiskServiceServicer_to_server,
)
from redis.asyncio import Redis

from chassis.errors import Unavailable
from chassis.server import Wiring, add_wiring, make_server
from risk_svc.counter import RedisAttemptCounter
from risk_svc.domain.assessment import Assessment, Subject
from risk_svc.ports import AssessmentStore
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
        self.channel: Any = None
        self.database_url = ""


class FailingOnce(PostgresAssessmentStore):
    """A store whose database does not answer the first time that something is added."""

    has_failed = False

    async def add(self, assessments: Sequence[Assessment]) -> Mapping[str, Assessment]:
        """Fail once, then add."""
        if not self.has_failed:
            self.has_failed = True
            raise Unavailable("The database did not answer.")
        return await super().add(assessments)


class Watched(PostgresAssessmentStore):
    """A store that notes how much it is asked at once."""

    sizes: ClassVar[list[int]] = []

    async def find(self, payment_ids: Sequence[str]) -> Mapping[str, Assessment]:
        """Note the size, then find."""
        self.sizes.append(len(payment_ids))
        return await super().find(payment_ids)


async def serve(
    desk: Desk,
    database: Any,
    redis: Redis,
    store: AssessmentStore | None = None,
    limits: Limits = LIMITS,
) -> grpc.aio.Server:
    """Serve risk_svc on a free port."""
    assessor = RiskAssessor(
        store or PostgresAssessmentStore(database),
        RedisAttemptCounter(redis, b"key"),
        limits=limits,
        clock=lambda: desk.now,
    )
    server = make_server("risk.paymesh", 30, 1000)
    register = partial(add_RiskServiceServicer_to_server, assessor)
    add_wiring(server, Wiring(register=(register,), names=()), with_reflection=False)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    desk.channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
    desk.stub = RiskServiceStub(desk.channel)
    return server


async def close(desk: Desk, server: grpc.aio.Server) -> None:
    """End the client's side, then the server's."""
    await desk.channel.close()
    await server.stop(None)


@pytest.fixture
async def desk(risk_database: ServiceDatabase, redis_url: str) -> AsyncIterator[Desk]:
    """Serve risk_svc with real parts."""
    desk = Desk()
    desk.database_url = risk_database.app_url
    async with opened(risk_database) as database, Redis.from_url(redis_url) as redis:
        await redis.flushall()
        server = await serve(desk, database, redis)
        yield desk
        await close(desk, server)


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
    more = await assess(desk, *(facts(card_fingerprint="a" * 64) for _ in range(5)))
    again = await assess(desk, first)

    assert more == [*[("APPROVED", [])] * 4, ("REFUSED", ["velocity_card"])]
    assert again == [("APPROVED", [])]


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
        await close(desk, server)

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

    for statement in (
        "DELETE FROM assessments",
        "UPDATE assessments SET decision = 'APPROVED'",
        "TRUNCATE assessments",
    ):
        with (
            psycopg.connect(desk.database_url) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(statement)


async def test_unknown_payment_has_no_assessment(desk: Desk) -> None:
    """Reading what was never decided is NOT_FOUND."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await desk.stub.GetAssessment(risk.GetAssessmentRequest(payment_id=make_id("pay")))

    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    assert "ASSESSMENT_NOT_FOUND" in str(rpc_status.from_call(raised.value))


async def test_what_is_read_is_what_was_decided(desk: Desk) -> None:
    """GetAssessment and every replay answer the first answer, to the microsecond."""
    asked = risk.AssessPaymentsRequest(payments=[facts(amount="5000.00")])
    (first,) = (await desk.stub.AssessPayments(asked)).assessments
    desk.now += timedelta(hours=5)

    (again,) = (await desk.stub.AssessPayments(asked)).assessments
    read = await desk.stub.GetAssessment(risk.GetAssessmentRequest(payment_id=first.payment_id))

    assert first.assessed_at.ToDatetime(NOW.tzinfo) == NOW
    assert first == again == read.assessment


async def test_payment_twice_in_a_batch_is_judged_by_what_came_first(desk: Desk) -> None:
    """The second of two counts nothing and gets the first one's decision."""
    first = facts(card_fingerprint="a" * 64)
    second = facts(payment_id=first.payment_id, card_fingerprint="a" * 64, amount="5000.00")

    answers = await assess(desk, first, second, *(facts(card_fingerprint="a" * 64) for _ in "1234"))

    assert answers == [("APPROVED", [])] * 6


async def test_respelled_address_is_the_same_address(desk: Desk) -> None:
    """Another spelling of an IP address evades no limit."""
    spelled = ("2001:db8::1", "2001:DB8:0::1")
    answers = await assess(desk, *(facts(ip_address=spelled[i % 2]) for i in range(21)))

    assert answers == [*[("APPROVED", [])] * 20, ("REFUSED", ["velocity_ip"])]


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"amount": "9.999"}, "INVALID_AMOUNT", "payments[1].amount"),
        ({"currency": "XXZ"}, "UNKNOWN_CURRENCY", "payments[1].currency"),
        ({"ip_address": "192.0.2.300"}, "INVALID_FIELD", "payments[1].ip_address"),
        ({"buyer_id": ""}, "INVALID_FIELD", "payments[1].buyer_id"),
    ],
)
async def test_unreadable_facts_count_nothing(
    desk: Desk, redis_url: str, changes: dict[str, str], reason: str, field: str
) -> None:
    """A call with a field that cannot be right is refused by its path before it does anything."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await assess(desk, facts(), facts(**changes))

    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    status = str(rpc_status.from_call(raised.value))
    assert reason in status
    assert field in status
    with psycopg.connect(desk.database_url) as connection:
        assert connection.execute("SELECT count(*) FROM assessments").fetchone() == (0,)
    async with Redis.from_url(redis_url) as redis:
        assert await redis.dbsize() == 0


async def test_counted_but_not_stored_is_no_further_attempt(
    risk_database: ServiceDatabase, redis_url: str
) -> None:
    """When the database fails after counting, asking again decides as if it had not failed."""
    desk, asked = Desk(), [facts(card_fingerprint="a" * 64) for _ in range(6)]
    async with opened(risk_database) as database, Redis.from_url(redis_url) as redis:
        await redis.flushall()
        store = FailingOnce(database)
        server = await serve(desk, database, redis, store)
        with pytest.raises(grpc.aio.AioRpcError):
            await assess(desk, *asked)
        answers = [answer for payment in asked for answer in await assess(desk, payment)]
        await close(desk, server)

    assert answers == [*[("APPROVED", [])] * 5, ("REFUSED", ["velocity_card"])]


async def test_concurrent_single_calls_keep_the_limit(desk: Desk) -> None:
    """Calls that meet in one batch are each answered for their own payment."""
    payments = [facts(buyer_id="b") for _ in range(100)]

    answers = await asyncio.gather(
        *(desk.stub.AssessPayments(risk.AssessPaymentsRequest(payments=[p])) for p in payments)
    )

    assert [a.assessments[0].payment_id for a in answers] == [p.payment_id for p in payments]
    approved = [a for a in answers if a.assessments[0].decision == risk.Assessment.APPROVED]
    assert len(approved) == 10


async def test_largest_batch(desk: Desk) -> None:
    """A thousand payments are assessed in one call, each in its place."""
    payments = [facts(buyer_id=f"b{i % 90}") for i in range(1_000)]

    answers = await assess(desk, *payments)

    assert [a == ("APPROVED", []) for a in answers] == [i < 900 for i in range(1_000)]


async def test_no_batch_is_larger_than_the_largest_request(
    risk_database: ServiceDatabase, redis_url: str
) -> None:
    """Large requests that meet stay batches of their own; small ones share."""
    desk = Desk()
    async with opened(risk_database) as database, Redis.from_url(redis_url) as redis:
        store = Watched(database)
        store.sizes.clear()
        server = await serve(desk, database, redis, store)
        large = [assess(desk, *(facts() for _ in range(500))) for _ in range(4)]
        small = [assess(desk, facts()) for _ in range(200)]
        await asyncio.gather(*large, *small)
        await close(desk, server)

    assert sorted(store.sizes)[-4:] == [500] * 4
    assert sum(store.sizes) == 2_200
    assert len(store.sizes) < 204


async def test_subject_without_a_limit_is_not_counted(risk_database: ServiceDatabase) -> None:
    """With every limit lifted nothing is collected, and Redis is not even asked."""
    desk, lifted = Desk(), Limits(dict.fromkeys(Subject, 0), Decimal(1000), {})
    async with opened(risk_database) as database:
        server = await serve(desk, database, Redis(port=free_port()), limits=lifted)
        answers = await assess(
            desk, *(facts(buyer_id="b") for _ in range(30)), facts(amount="5000")
        )
        await close(desk, server)

    assert answers == [*[("APPROVED", [])] * 30, ("REFUSED", ["amount_limit"])]


async def test_nothing_personal_is_stored(desk: Desk) -> None:
    """No buyer, card or address is in what PostgreSQL keeps."""
    card = "c0ffee" * 10 + "abcd"
    told = facts(buyer_id="canary@example.com", card_fingerprint=card, ip_address="192.0.2.77")
    await assess(desk, told)

    with psycopg.connect(desk.database_url) as connection:
        kept = str(connection.execute("SELECT a::text FROM assessments a").fetchall())
    assert told.payment_id in kept
    assert not [secret for secret in ("canary", card, "192.0.2.77") if secret in kept]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE assessments SET decision = 'PERHAPS'",
        "UPDATE assessments SET decision = 'APPROVED'",
        "UPDATE assessments SET rule_hits = '[]'",
        "UPDATE assessments SET amount = 0",
        "UPDATE assessments SET currency = 'usd'",
    ],
)
async def test_the_database_itself_refuses_nonsense(
    desk: Desk, risk_database: ServiceDatabase, statement: str
) -> None:
    """The checks hold even against the owner: a refusal has a reason, an approval none."""
    await assess(desk, facts(amount="5000.00"))

    with (
        psycopg.connect(risk_database.owner_url) as owner,
        pytest.raises(psycopg.errors.CheckViolation),
    ):
        owner.execute(statement)
