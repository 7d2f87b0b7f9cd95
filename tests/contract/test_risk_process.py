"""risk_svc as it is deployed: processes that share one database and one Redis."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import grpc
import psycopg
import pytest
from paymesh.risk.v1 import risk_service_pb2 as risk
from paymesh.risk.v1.risk_service_pb2_grpc import RiskServiceStub
from redis import Redis

from tests import servers
from tests.builders import make_id
from tests.contract.service_process import DEADLINE_S, running
from tests.servers import RedisServer, ServiceDatabase

APPROVED, REFUSED = risk.Assessment.APPROVED, risk.Assessment.REFUSED


@pytest.fixture
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that a test may end."""
    with RedisServer.start(tmp_path_factory.mktemp("redis")) as server:
        yield server


@contextmanager
def started(
    database: ServiceDatabase, redis: str
) -> Iterator[tuple["subprocess.Popen[bytes]", RiskServiceStub]]:
    """Run the service and wait until it serves; answer its process and a stub."""
    settings = {
        "ENVIRONMENT": "production",
        "RISK_SUBJECT_KEY": "a-long-enough-secret",
        "RISK_DATABASE_URL": database.app_url,
        "REDIS_URL": redis,
    }
    with (
        running("risk_svc", settings) as (process, address),
        grpc.insecure_channel(address) as channel,
    ):
        yield process, RiskServiceStub(channel)


def facts() -> risk.PaymentFacts:
    """Write what a payment of one buyer is judged by; a card of its own."""
    payment_id = make_id("pay")
    card = payment_id.encode().hex().ljust(64, "0")[-64:]
    return risk.PaymentFacts(
        payment_id=payment_id,
        client_id="demo",
        buyer_id="b",
        card_fingerprint=card,
        amount="9.99",
        currency="USD",
        seller_accounts=["seller_456"],
    )


def assess(stub: RiskServiceStub, *payments: risk.PaymentFacts) -> list[risk.Assessment]:
    """Assess payments in one batch."""
    request = risk.AssessPaymentsRequest(payments=payments)
    return list(stub.AssessPayments(request, timeout=60).assessments)


def stored(database: ServiceDatabase) -> int:
    """Count the assessments at rest."""
    with psycopg.connect(database.app_url) as connection:
        row = connection.execute("SELECT count(*) FROM assessments").fetchone()
    return int(row[0]) if row else 0


def test_two_instances_keep_one_limit(risk_database: ServiceDatabase, redis_url: str) -> None:
    """However 30 calls at once fall on two processes, a buyer gets exactly ten."""
    Redis.from_url(redis_url).flushall()
    with ExitStack() as stack:
        stubs = [stack.enter_context(started(risk_database, redis_url))[1] for _ in range(2)]
        pool = stack.enter_context(ThreadPoolExecutor(10))
        calls = [pool.submit(assess, stubs[i % 2], facts()) for i in range(30)]
        decisions = Counter(call.result()[0].decision for call in calls)

    assert decisions == {APPROVED: 10, REFUSED: 20}


def test_one_payment_at_two_instances_gets_one_decision(
    risk_database: ServiceDatabase, redis_url: str
) -> None:
    """The same payments asked of both at once are counted, decided and stored once."""
    Redis.from_url(redis_url).flushall()
    payments = [facts() for _ in range(12)]
    with ExitStack() as stack:
        stubs = [stack.enter_context(started(risk_database, redis_url))[1] for _ in range(2)]
        pool = stack.enter_context(ThreadPoolExecutor(8))
        orders = [payments, payments[::-1]] * 8  # opposite orders, which must not deadlock
        calls = [pool.submit(assess, stubs[i % 2], *order) for i, order in enumerate(orders)]
        answers = [{a.payment_id: a for a in call.result()} for call in calls]

    assert all(answer == answers[0] for answer in answers)
    assert Counter(a.decision for a in answers[0].values()) == {APPROVED: 10, REFUSED: 2}
    assert stored(risk_database) == 12


def test_redis_gone_and_back(
    risk_database: ServiceDatabase,
    own_redis: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """While Redis is dead nothing new is decided or stored, what was decided still answers, and
    a Redis that comes back empty is counted with at once.
    """
    with started(risk_database, own_redis.url) as (_, stub):
        before = facts()
        first = assess(stub, before)
        own_redis.process.kill()
        own_redis.process.wait(DEADLINE_S)

        with pytest.raises(grpc.RpcError) as raised:
            assess(stub, before, facts())
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
        assert stored(risk_database) == 1
        assert assess(stub, before) == first

        port = int(own_redis.url.rpartition(":")[2].partition("/")[0])
        monkeypatch.setattr(servers, "free_port", lambda: port)
        with RedisServer.start(tmp_path_factory.mktemp("redis")):
            assert assess(stub, facts())[0].decision == APPROVED
    assert stored(risk_database) == 2


def test_sigterm_ends_the_service_cleanly(risk_database: ServiceDatabase, redis_url: str) -> None:
    """SIGTERM drains and exits 0."""
    with started(risk_database, redis_url) as (process, _):
        process.send_signal(signal.SIGTERM)

        assert process.wait(DEADLINE_S) == 0


@pytest.mark.parametrize("missing", ["RISK_DATABASE_URL", "REDIS_URL", "RISK_SUBJECT_KEY"])
def test_a_missing_setting_is_named(missing: str) -> None:
    """Without what it needs the service does not start in production, and says what is missing."""
    settings = {
        "LISTEN": "127.0.0.1:0",
        "RISK_DATABASE_URL": "postgresql://127.0.0.1:1/risk",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "RISK_SUBJECT_KEY": "a-long-enough-secret",
    }
    told = {k: v for k, v in {**os.environ, **settings}.items() if k != missing}

    ended = subprocess.run(
        [sys.executable, "-m", "risk_svc"],
        env={**told, "ENVIRONMENT": "production"},
        capture_output=True,
        timeout=DEADLINE_S,
        check=False,
    )

    assert ended.returncode == 2
    assert f"{missing} must be set".encode() in ended.stderr
