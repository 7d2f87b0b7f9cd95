"""The comparison's own side of each rival, held against stand-ins that do next to nothing."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from paymesh.ledger.v1 import ledger_service_pb2 as ledger

from benchmarks import postgres_figures
from benchmarks.ledger import LedgerWorkload
from benchmarks.load import Load, Requests, Unanswered
from benchmarks.rivals import formance, pgledger
from benchmarks.rivals.pgledger_server import Pgledger
from benchmarks.scenarios import Scenario, Shape
from benchmarks.window import WARM_UP_S, measured
from benchmarks.workload import ACCOUNTS, Answer
from chassis.database import Database
from tests.servers import PostgresServer

# What its functions are called and take; what they do is a row.
STAND_IN = """
CREATE TABLE pgledger_accounts (id text PRIMARY KEY DEFAULT gen_random_uuid()::text, name text,
    currency text, balance numeric NOT NULL DEFAULT 0, version bigint NOT NULL DEFAULT 0);
CREATE TABLE pgledger_transfers (id bigserial PRIMARY KEY, from_account_id text NOT NULL REFERENCES
    pgledger_accounts ON UPDATE CASCADE, to_account_id text NOT NULL REFERENCES pgledger_accounts,
    amount numeric, created_at timestamptz DEFAULT now(), CHECK (from_account_id <> to_account_id));
CREATE TABLE pgledger_entries (account_id text, amount numeric);
CREATE TYPE transfer_request AS (from_account_id text, to_account_id text, amount numeric);
CREATE FUNCTION pgledger_create_account(name text, currency text) RETURNS SETOF pgledger_accounts
    LANGUAGE sql AS 'INSERT INTO pgledger_accounts (name, currency) VALUES ($1, $2) RETURNING *';
CREATE FUNCTION pgledger_create_transfers(transfer_requests transfer_request[])
    RETURNS TABLE (id text, created_at timestamptz) LANGUAGE plpgsql AS $$
    DECLARE asked transfer_request; made pgledger_transfers;
    BEGIN
        FOREACH asked IN ARRAY transfer_requests LOOP
            INSERT INTO pgledger_transfers (from_account_id, to_account_id, amount)
                VALUES (asked.from_account_id, asked.to_account_id, asked.amount)
                RETURNING * INTO made;
            id := lpad(made.id::text, 12, '0'); created_at := made.created_at;
            RETURN NEXT;
        END LOOP;
    END $$;
CREATE FUNCTION pgledger_create_transfer(from_account_id text, to_account_id text, amount numeric)
    RETURNS TABLE (id text, created_at timestamptz) LANGUAGE sql AS
    'SELECT * FROM pgledger_create_transfers(ARRAY[($1, $2, $3)::transfer_request])';
"""


@pytest.fixture
async def pgledger_url(postgres: PostgresServer, tmp_path: Path) -> AsyncIterator[str]:
    """A database that was installed out of files where pgledger has them."""
    vendored = tmp_path / "vendor" / "scoville-pgsql-ulid"
    vendored.mkdir(parents=True)
    for name in ("ulid-to-uuid.sql", "uuid-to-ulid.sql"):
        (vendored / name).write_text("SELECT 1")
    (tmp_path / "pgledger.sql").write_text(STAND_IN)
    admin = postgres.url("postgres")
    yield await pgledger.install(admin, tmp_path / "pgledger.sql")
    async with await psycopg.AsyncConnection.connect(admin, autocommit=True) as connection:
        await connection.execute("DROP DATABASE pgledger WITH (FORCE)")


@pytest.mark.parametrize("shape", list(Shape))
@pytest.mark.parametrize("size", [1, 100])
async def test_the_scripts_for_pgledger_run(pgledger_url: str, shape: Shape, size: int) -> None:
    """Each run is `size` transfers between accounts that are there, hot: from the platform's."""
    tally = await postgres_figures.pgbench(
        pgledger_url, pgledger.script(shape, size), clients=2, seconds=1
    )

    async with await psycopg.AsyncConnection.connect(pgledger_url) as connection:
        found = await connection.execute(
            "SELECT count(*), count(DISTINCT from_account_id), min(from_account_id)"
            " FROM pgledger_transfers"
        )
        ((transfers, sources, first),) = await found.fetchall()
    assert transfers == tally.done * size > 0
    assert (sources == 1) is (shape is Shape.HOT)
    if shape is Shape.HOT:
        assert first == pgledger.account(ACCOUNTS + 1)


@pytest.mark.parametrize("size", [1, 100])
async def test_pgledger_behind_grpc_answers_in_the_order_of_the_asking(
    pgledger_url: str, size: int
) -> None:
    """A transaction for each posting, with its own accounts, one call for all."""
    database = Database(pgledger_url)
    await database.open()
    try:
        asked = Requests(LedgerWorkload(), Scenario(Shape.UNIFORM, in_flight=1, batch=size)).take()
        request = ledger.PostTransactionsRequest.FromString(asked)

        server: Any = Pgledger(database)  # type: ignore[abstract]
        answer = await server.PostTransactions(request, None)
    finally:
        await database.close()

    assert LedgerWorkload().judge(answer).written == size
    ids = [result.transaction.transaction_id for result in answer.results]
    assert ids == sorted(ids)
    assert [[e.account_id for e in r.transaction.entries] for r in answer.results] == [
        [e.account_id for e in posting.entries] for posting in request.postings
    ]


async def test_pgledgers_books_are_audited(pgledger_url: str) -> None:
    """Transfers without entries, and balances that are not their sum, are told."""
    async with await psycopg.AsyncConnection.connect(pgledger_url) as connection:
        await connection.execute(
            "SELECT id FROM pgledger_create_transfer(%s, %s, 1)",
            (pgledger.account(1), pgledger.account(2)),
        )
        await connection.execute(
            "INSERT INTO pgledger_entries VALUES (%s, 5)", (pgledger.account(1),)
        )

    stored = await pgledger.stored(pgledger_url)

    assert stored.transactions == 1
    assert len(stored.faults) == 3


class FakeFormance:
    """Answers as its API does, and refuses what it is told to."""

    def __init__(self) -> None:
        self.features: Any = None
        self.keys: list[str] = []
        self.status = 200
        self.transactions = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = self.waiting_most = 0
        self.crowded = asyncio.Event()
        self.server = TestServer(self._application())

    def _application(self) -> web.Application:
        application = web.Application()
        application.router.add_post("/v2/bench", self._make)
        application.router.add_post("/v2/bench/transactions", self._single)
        application.router.add_post("/v2/bench/_bulk", self._bulk)
        application.router.add_get("/v2/bench/stats", self._stats)
        application.router.add_get("/v2/bench/aggregate/balances", self._balances)
        application.router.add_get("/_healthcheck", self._stats)
        return application

    async def _make(self, request: web.Request) -> web.Response:
        self.features = (await request.json()).get("features")
        return web.Response(status=204)

    async def _single(self, request: web.Request) -> web.Response:
        if self.status != 200:
            return web.json_response({"errorCode": "TROUBLE"}, status=self.status)
        self.keys.append(request.headers.get("Idempotency-Key", ""))
        self.waiting += 1
        self.waiting_most = max(self.waiting, self.waiting_most)
        if self.waiting >= 16:
            self.crowded.set()
        await self.gate.wait()
        self.waiting -= 1
        self.transactions += 1
        return web.json_response({"data": {"id": self.transactions}})

    async def _bulk(self, request: web.Request) -> web.Response:
        elements = await request.json()
        self.keys += [element["ik"] for element in elements]
        self.transactions += len(elements)
        return web.json_response({"data": [{"responseType": "CREATE_TRANSACTION"}] * len(elements)})

    async def _stats(self, _: web.Request) -> web.Response:
        return web.json_response({"data": {"transactions": self.transactions, "accounts": 3}})

    async def _balances(self, _: web.Request) -> web.Response:
        return web.json_response({"data": {"USD/2": 0 if self.transactions < 1000 else 5}})


@pytest.fixture
async def fake() -> AsyncIterator[FakeFormance]:
    """A server that stands for Formance's."""
    fake = FakeFormance()
    await fake.server.start_server()
    yield fake
    await fake.server.close()


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    """The session that the benchmark would have."""
    async with formance.open_session() as session:
        yield session


def _ledger(
    fake: FakeFormance, session: ClientSession, *, is_minimal: bool = False
) -> formance.FormanceLedger:
    return formance.FormanceLedger(session, str(fake.server.make_url("")), is_minimal=is_minimal)


@pytest.mark.parametrize("is_minimal", [True, False])
async def test_a_formance_ledger_is_made_with_its_features(
    fake: FakeFormance, session: ClientSession, *, is_minimal: bool
) -> None:
    """By default with those that it gives itself; minimal with every one off."""
    opened = await _ledger(fake, session, is_minimal=is_minimal).open()

    assert opened == fake.transactions > 0
    if is_minimal:
        assert set(fake.features.values()) == {"OFF", "DISABLED"}
    else:
        assert fake.features is None


@pytest.mark.parametrize("batch", [1, 100])
async def test_formance_is_asked_under_load(
    fake: FakeFormance, session: ClientSession, batch: int
) -> None:
    """What it acknowledged is counted, each transaction with a key of its own, and audited."""
    scenario = Scenario(Shape.UNIFORM, in_flight=4, batch=batch)
    ledger_ = _ledger(fake, session)
    load = Load(formance.FormanceAsking(), scenario, [ledger_.call(batch)])

    trial = await measured(load, scenario, lambda: {"machine": 0.0}, 0.1, answers_min=1)

    assert trial.rate > 0
    assert load.total.done == fake.transactions == len(set(fake.keys))
    stored = await ledger_.stored()
    assert stored.transactions == fake.transactions
    assert bool(stored.faults) is (fake.transactions >= 1000)


async def test_no_more_requests_reach_formance_than_it_has_connections_for(
    fake: FakeFormance, session: ClientSession
) -> None:
    """The others wait, in the order in which they came."""
    fake.gate.clear()
    call = _ledger(fake, session).call(1)

    calls = asyncio.gather(*(call(b"%d\n{}" % number) for number in range(40)))
    async with asyncio.timeout(30):
        await fake.crowded.wait()
        fake.gate.set()
        await calls

    assert fake.waiting_most == 16
    assert set(fake.keys[-8:]) == {str(number) for number in range(32, 40)}


async def test_formances_failures_are_told_by_their_reason(
    fake: FakeFormance, session: ClientSession
) -> None:
    """A refusal has a code; a 500 has an unknown end, as has a connection that is lost."""
    call, asking = _ledger(fake, session).call(1), formance.FormanceAsking()
    request = b"key\n{}"

    fake.status = 400
    assert list(asking.judge(await call(request)).refusals) == ["TROUBLE"]
    fake.status = 500
    with pytest.raises(Unanswered, match="HTTP_500"):
        await call(request)
    await fake.server.close()
    with pytest.raises(Unanswered, match="Client"):
        await call(request)


async def test_preparing_formance_tells_what_it_said(
    fake: FakeFormance, session: ClientSession
) -> None:
    """Nobody has to look for it in a log."""
    fake.status = 500

    with pytest.raises(formance.FormanceFailed, match=r"transactions: .*TROUBLE"):
        await _ledger(fake, session).open()


class OneAnswer:
    """Asks for one transaction, and takes whatever comes for it."""

    def request(self, shape: Shape, size: int, choose: object) -> bytes:
        """Make a request."""
        return b""

    def judge(self, response: Any) -> Answer:
        """Tell that it was written."""
        return Answer(1)


async def test_a_slow_one_is_measured_to_its_last_answer() -> None:
    """Where fewer requests were answered in the window than a rate takes, the whole run counts."""
    gate, asked = asyncio.Event(), 0

    async def call(_: bytes) -> bytes:
        await gate.wait()
        return b""

    def used_s() -> dict[str, float]:
        nonlocal asked
        asked += 1
        if asked == 3:  # at the window's end
            gate.set()
        return {"server": float(asked), "machine": 0.0}

    scenario = Scenario(Shape.UNIFORM, in_flight=1)
    load = Load(OneAnswer(), scenario, [call])
    async with asyncio.timeout(60):
        trial = await measured(load, scenario, used_s, 0.01, answers_min=1)

    assert trial.count == 1
    assert trial.cpu_us["server"] == 3e6  # from the first to the fourth asking
    assert 0 < trial.rate < 1 / WARM_UP_S
