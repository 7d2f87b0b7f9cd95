"""The processes of the comparison: PostgreSQL, the ledger, and the rivals that were given."""

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks.bookkeepers import PATH, PATIENCE, Bookkeeper, begin_postgres
from benchmarks.ledger import LedgerWorkload
from benchmarks.rivals import formance, pgledger
from benchmarks.rivals.bouts import Contender
from benchmarks.rivals.given import Given
from chassis.database import upgrade
from devstack.plan import Choices, service_recipe
from devstack.postgres import Postgres
from devstack.processes import Child, Recipe, start
from devstack.state import State

# Ports of a claimed block that this benchmark has no other use for.
_SPARE = {
    Contender.PGLEDGER: "risk_svc",
    Contender.FORMANCE: "psp_gateway",
    Contender.FORMANCE_MINIMAL: "edge_auth",
}


class Contenders:
    """Starts and ends them, all on one PostgreSQL, each with a database of its own.

    To be used on one event loop of asyncio's own: a user can be named for a process on no other.
    """

    def __init__(self, given: Given, folder: Path, ports: Mapping[str, int]) -> None:
        self._given = given
        self._state = State(folder)
        self._ports = ports
        self._children: list[Child] = []
        self.keepers: dict[Contender, Bookkeeper] = {}
        self.postgres_pid = 0

    async def start(self) -> None:
        """Start all but those that a load starts itself.

        Raises:
            StackError, FormanceFailed: one did not come up.
        """
        postgres = await begin_postgres(self._state, self._ports["postgres"], self._children)
        self.postgres_pid = self._children[0].pid
        await self._start_ledger(postgres)
        if self._given.pgledger:
            await self._start_pgledger(postgres, self._given.pgledger)
        if self._given.formance:
            await self._start_formance(postgres, self._given.formance)

    async def stop(self) -> None:
        """End all, PostgreSQL last."""
        for child in reversed(self._children):
            await child.stop()

    def last_words(self, name: str) -> str:
        """Read the end of a server's log."""
        return self._state.last_lines(name, 5)

    async def _start_ledger(self, postgres: Postgres) -> None:
        service = LedgerWorkload.service
        owner = postgres.url(f"{service.context}_owner", service.context)
        await asyncio.to_thread(upgrade, owner, service.name, f"{service.context}_app")
        recipe = service_recipe(service, self._state, self._ports, postgres, Choices())
        told = {**recipe.environment, **PATIENCE}
        url = postgres.url("postgres", service.context)
        await self._serve(Contender.PAYMESH, replace(recipe, environment=told), url)

    async def _start_pgledger(self, postgres: Postgres, sql: Path) -> None:
        url = await pgledger.install(postgres.url("postgres", "postgres"), sql)
        told = {
            "ENVIRONMENT": "development",
            "LISTEN": f"127.0.0.1:{self._ports[_SPARE[Contender.PGLEDGER]]}",
            "PGLEDGER_DATABASE_URL": url,
        }
        command = [sys.executable, "-m", "benchmarks.rivals.pgledger_server"]
        await self._serve(Contender.PGLEDGER, Recipe("pgledger", command, told), url)
        self.keepers[Contender.PGLEDGER_BARE] = Bookkeeper("", url, 0)

    async def _start_formance(self, postgres: Postgres, program: Path) -> None:
        admin = postgres.url("postgres", "postgres")
        for contender in formance.CONTENDERS:
            port = self._ports[_SPARE[contender]]
            url = await formance.make_database(admin, contender, self._given.pgcrypto)
            child = await self._begin(formance.recipe(contender, program, port, url))
            self.keepers[contender] = Bookkeeper(f"http://127.0.0.1:{port}", url, child.pid)

    async def _serve(self, contender: Contender, recipe: Recipe, database_url: str) -> None:
        told = {**recipe.environment, "PYTHONPATH": PATH}
        child = await self._begin(replace(recipe, environment=told))
        self.keepers[contender] = Bookkeeper(told["LISTEN"], database_url, child.pid)

    async def _begin(self, recipe: Recipe) -> Child:
        child = await start(recipe, self._state.log(recipe.name))
        self._children.append(child)
        return child
