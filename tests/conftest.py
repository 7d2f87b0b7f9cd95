"""Real PostgreSQL and Redis for the tests: one server each per run, a fresh database per test."""

import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from chassis.database import Database
from devstack.rest import RestClient
from devstack.stack import running_stack
from devstack.state import State, reachable_folder
from devstack.trail import Operator
from tests.order import SHARING, Sharing, file_of, in_order
from tests.servers import PostgresServer, RedisServer, ServiceDatabase

# Tests share the machine with servers and each other: how long a draw takes says nothing. The same
# is drawn in every run, so that a failure is of a change and not of luck; `--hypothesis-profile
# explore` draws anew.
PATIENT: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("explore", **PATIENT)
settings.register_profile("shared", derandomize=True, **PATIENT)
settings.load_profile("shared")

STACKS = ExitStack()  # what tests share; they end with the last who wants them


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes long first."""
    items[:] = in_order(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Sharing:
    """Give all tests of a shared stack to one worker."""
    return Sharing(config, log)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """End the shared stacks once nobody comes who wants them."""
    if nextitem is None or file_of(nextitem.nodeid) not in SHARING:
        STACKS.close()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """One PostgreSQL server for the run."""
    with PostgresServer.start(_folder(tmp_path_factory, "postgres")) as server:
        yield server


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One Redis server for the run."""
    with RedisServer.start(_folder(tmp_path_factory, "redis")) as server:
        yield server.url


@pytest.fixture
def ledger_database(postgres: PostgresServer) -> Iterator[ServiceDatabase]:
    """A fresh, migrated database of the ledger."""
    with postgres.own_database("ledger_svc") as database:
        yield database


@pytest.fixture
def wallet_database(postgres: PostgresServer) -> Iterator[ServiceDatabase]:
    """A fresh, migrated database of the wallets."""
    with postgres.own_database("wallet_svc") as database:
        yield database


@pytest.fixture
def risk_database(postgres: PostgresServer) -> Iterator[ServiceDatabase]:
    """A fresh, migrated database of risk."""
    with postgres.own_database("risk_svc") as database:
        yield database


@pytest.fixture
def psp_database(postgres: PostgresServer) -> Iterator[ServiceDatabase]:
    """A fresh, migrated database of the gateway."""
    with postgres.own_database("psp_gateway") as database:
        yield database


@pytest.fixture
def payment_database(postgres: PostgresServer) -> Iterator[ServiceDatabase]:
    """A fresh, migrated database of the payments."""
    with postgres.own_database("payment_svc") as database:
        yield database


@pytest.fixture
def edge_auth_database(postgres: PostgresServer) -> Iterator[ServiceDatabase]:
    """A fresh, migrated database of the API clients."""
    with postgres.own_database("edge_auth") as database:
        yield database


@pytest.fixture
async def ledger_db(ledger_database: ServiceDatabase) -> AsyncIterator[Database]:
    """The ledger's database as its service sees it."""
    async with opened(ledger_database) as database:
        yield database


@pytest.fixture
async def wallet_db(wallet_database: ServiceDatabase) -> AsyncIterator[Database]:
    """The wallets' database as its service sees it."""
    async with opened(wallet_database) as database:
        yield database


@pytest.fixture
async def payment_db(payment_database: ServiceDatabase) -> AsyncIterator[Database]:
    """The payments' database as its service sees it."""
    async with opened(payment_database) as database:
        yield database


@pytest.fixture(scope="session")
def state() -> Iterator[State]:
    """The state folder of a running stack with every real part."""
    yield _shared("paymesh-e2e-", mesh=False)
    STACKS.close()


@pytest.fixture(scope="session")
def mesh_state() -> Iterator[State]:
    """The state folder of a running stack with a sidecar and mTLS at every service."""
    yield _shared("paymesh-mesh-", mesh=True)
    STACKS.close()


def _shared(prefix: str, *, mesh: bool) -> State:
    folder = STACKS.enter_context(reachable_folder(prefix))
    STACKS.enter_context(running_stack(folder, mesh=mesh))
    return State(folder)


@pytest.fixture
def mesh_stack(mesh_state: State) -> dict[str, Any]:
    """The running mesh, as stack.json describes it, whole again after what a test did to it."""
    return whole(mesh_state)


@pytest.fixture
def stack(state: State) -> dict[str, Any]:
    """The running stack, as stack.json describes it, whole again after what a test did to it."""
    return whole(state)


def whole(state: State) -> dict[str, Any]:
    """Wait until every part of a stack serves, and tell it as stack.json does."""
    deadline, pause = time.monotonic() + 120, threading.Event()
    while not (is_whole(described := state.stack() or {}) and lets_in(described)):
        assert time.monotonic() < deadline, described
        pause.wait(0.05)
    return described


def is_whole(described: dict[str, Any]) -> bool:
    """Tell whether every part of a stack serves."""
    parts = [*described.get("services", {}).values(), *described.get("processes", {}).values()]
    return bool(parts) and all(part["healthy"] for part in parts)


def lets_in(described: dict[str, Any]) -> bool:
    """Tell whether a caller gets through the edge, edge_auth and payment_svc, all of them warm."""
    request = urllib.request.Request(
        described["edge"]["url"] + "/v1/payments/pay_0",
        headers={"Authorization": f"Bearer {described['client']['api_key']}"},
    )
    try:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        direct.open(request, timeout=30).close()
    except urllib.error.HTTPError as answer:
        return answer.code == 404
    except OSError:
        return False
    return True


@pytest.fixture
async def rest(stack: dict[str, Any]) -> AsyncIterator[RestClient]:
    """The public API with the demo client's key."""
    async with RestClient(stack["edge"]["url"], stack["client"]["api_key"]) as client:
        yield client


@pytest.fixture
async def operator(stack: dict[str, Any]) -> AsyncIterator[Operator]:
    """The services themselves, as an operator asks them."""
    async with Operator(stack) as asking:
        yield asking


def _folder(factory: pytest.TempPathFactory, name: str) -> Path:
    return factory.mktemp(name)


def opened(database: ServiceDatabase) -> "OpenDatabase":
    """Open a pool as the app role for a `async with`."""
    return OpenDatabase(database)


class OpenDatabase:
    """A `Database` that closes itself."""

    def __init__(self, database: ServiceDatabase) -> None:
        self._database = Database(database.app_url, connections=8, keyring=database.keyring())

    async def __aenter__(self) -> Database:
        await self._database.open()
        return self._database

    async def __aexit__(self, *_: object) -> None:
        await self._database.close()
