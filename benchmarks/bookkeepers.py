"""The processes of a benchmark of books: PostgreSQL, the service, what it is compared with."""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import postgres_figures
from benchmarks.scenarios import Way
from benchmarks.workload import Workload
from chassis.database import upgrade
from devstack.plan import Choices, service_recipe
from devstack.postgres import Postgres
from devstack.processes import Child, Recipe, start
from devstack.state import State

_ROOT = Path(__file__).resolve().parent.parent
# What is measured is the tree that the benchmark is in, wherever an installation points to.
PATH = os.pathsep.join(str(_ROOT / part) for part in ("", "stubs", "client"))
# Reading the whole books at the end takes longer than any request of a service may.
PATIENCE = {"REQUEST_TIMEOUT_S": "150", "LEDGER_REPORT_TIMEOUT_S": "140"}
_START_S = 60.0
_ROWS_CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Bookkeeper:
    """Who keeps books: where it listens, where it stores.

    Attributes:
        target: host:port; empty: it has no server of its own.
        pid: of its server; 0: it has none.
    """

    target: str
    database_url: str
    pid: int


async def begin_postgres(state: State, port: int, children: list[Child]) -> Postgres:
    """Start a PostgreSQL in a folder of its own, with every context's database; it is put to the
    children, whom the caller ends.

    Raises:
        StackError: it did not come up.
    """
    state.prepare()
    postgres = await asyncio.to_thread(Postgres, state, port)
    await postgres.initialize()
    children.append(await start(postgres.recipe(), state.log("postgres")))
    async with asyncio.timeout(_START_S):
        await postgres.until_ready()
    await asyncio.to_thread(postgres.create_databases)
    return postgres


class Bookkeepers:
    """Starts and ends the processes, all on one PostgreSQL, each with its own database.

    To be used on one event loop of asyncio's own: a user can be named for a process on no other.
    """

    def __init__(self, workload: Workload, folder: Path, ports: Mapping[str, int]) -> None:
        self._workload = workload
        self._state = State(folder)
        self._ports = ports
        self._children: list[Child] = []
        self.keepers: dict[Way, Bookkeeper] = {}
        self.postgres_pid = 0

    async def start(self) -> None:
        """Start all.

        Raises:
            StackError: one did not come up.
        """
        postgres = await begin_postgres(self._state, self._ports["postgres"], self._children)
        self.postgres_pid = self._children[0].pid
        service, context = self._workload.service, self._workload.service.context
        owner = postgres.url(f"{context}_owner", context)
        await asyncio.to_thread(upgrade, owner, service.name, f"{context}_app")
        await self._start_service(postgres)
        await self._start_baselines(postgres)
        await self._start_nothing(postgres)

    async def stop(self) -> None:
        """End all, PostgreSQL last."""
        for child in reversed(self._children):
            await child.stop()

    def last_words(self, way: Way) -> str:
        """Read the end of a server's log."""
        name = self._workload.service.name if way is Way.SERVICE else str(way)
        return self._state.last_lines(name, 5)

    async def _start_service(self, postgres: Postgres) -> None:
        service = self._workload.service
        recipe = service_recipe(service, self._state, self._ports, postgres, Choices())
        url = postgres.url("postgres", service.context)
        await self._serve(Way.SERVICE, recipe, PATIENCE, url)

    async def _start_baselines(self, postgres: Postgres) -> None:
        admin = postgres.url("postgres", "postgres")
        for way in (Way.FUNCTION, Way.STATEMENTS):
            url = await postgres_figures.make_database(admin, way, self._workload.row_schema)
            told = {
                "ENVIRONMENT": "development",
                "LISTEN": f"127.0.0.1:{self._ports[_SPARE[way]]}",
                "ROWS_DATABASE_URL": url,
                "ROWS_OF": self._workload.name,
                "ROWS_BY": "function" if way is Way.FUNCTION else "statements",
                "ROWS_CONNECTIONS": os.environ.get("ROWS_CONNECTIONS", str(_ROWS_CONNECTIONS)),
            }
            command = [sys.executable, "-m", "benchmarks.row_at_a_time"]
            await self._serve(way, Recipe(way, command, told), PATIENCE, url)
        # pgbench calls the same function in the same database, without the server.
        self.keepers[Way.BARE] = replace(self.keepers[Way.FUNCTION], target="", pid=0)

    async def _start_nothing(self, postgres: Postgres) -> None:
        told = {
            "ENVIRONMENT": "development",
            "LISTEN": f"127.0.0.1:{self._ports[_SPARE[Way.NOTHING]]}",
            "NOTHING_OF": self._workload.name,
        }
        recipe = Recipe(Way.NOTHING, [sys.executable, "-m", "benchmarks.nothing_behind"], told)
        # It stores nothing; so much is seen in a database that nobody writes to.
        await self._serve(Way.NOTHING, recipe, {}, postgres.url("postgres", "postgres"))

    async def _serve(
        self, way: Way, recipe: Recipe, more: Mapping[str, str], database_url: str
    ) -> None:
        told = {**recipe.environment, **more, "PYTHONPATH": PATH}
        child = await self._begin(replace(recipe, environment=told))
        self.keepers[way] = Bookkeeper(told["LISTEN"], database_url, child.pid)

    async def _begin(self, recipe: Recipe) -> Child:
        child = await start(recipe, self._state.log(recipe.name))
        self._children.append(child)
        return child


# Ports of a claimed block that this benchmark has no other use for.
_SPARE = {Way.FUNCTION: "risk_svc", Way.STATEMENTS: "psp_gateway", Way.NOTHING: "edge_auth"}
