"""The processes that large books are measured on: a PostgreSQL, and a ledger's service."""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from chassis.database import upgrade
from devstack.health import serving
from devstack.plan import Choices, service_recipe
from devstack.postgres import Postgres
from devstack.processes import Child, Recipe, start
from devstack.services import SERVICES
from devstack.state import State

_ROOT = Path(__file__).resolve().parent.parent
# What is measured is the tree that the benchmark is in, wherever an installation points to.
PYTHONPATH = os.pathsep.join(str(_ROOT / part) for part in ("", "stubs", "client"))
_START_S = 60.0
_CONTEXTS = {"ledger": "ledger_svc", "wallet": "wallet_svc"}


class Stage:
    """Starts and ends the processes.

    To be used on one event loop of asyncio's own: a user can be named for a process on no other.
    """

    def __init__(self, folder: Path, ports: Mapping[str, int]) -> None:
        self._state = State(folder)
        self._ports = ports
        self._postgres: Postgres
        self._children: list[Child] = []

    async def start(self) -> None:
        """Start PostgreSQL, with the databases of the ledger and the wallets.

        Raises:
            StackError: it did not come up.
        """
        self._state.prepare()
        self._postgres = await asyncio.to_thread(Postgres, self._state, self._ports["postgres"])
        await self._postgres.initialize()
        await self._begin(self._postgres.recipe())
        async with asyncio.timeout(_START_S):
            await self._postgres.until_ready()
        await asyncio.to_thread(self._postgres.create_databases)
        for context, service in _CONTEXTS.items():
            owner = self.url(context, "owner")
            await asyncio.to_thread(upgrade, owner, service, f"{context}_app")

    def url(self, context: str, role: str = "app") -> str:
        """Make the URL of a context's database."""
        return self._postgres.url(f"{context}_{role}", context)

    async def serve_ledger(self) -> tuple[str, int]:
        """Start the ledger's service; tell where it listens, and its process id."""
        service = next(s for s in SERVICES if s.context == "ledger")
        recipe = service_recipe(service, self._state, self._ports, self._postgres, Choices())
        told = {**recipe.environment, "PYTHONPATH": PYTHONPATH}
        child = await self._begin(replace(recipe, environment=told))
        async with asyncio.timeout(_START_S):
            await serving(told["LISTEN"])
        return told["LISTEN"], child.pid

    async def take(self, step: str, told: Mapping[str, str]) -> bytes:
        """Have a process of its own take a step; tell what it printed.

        Raises:
            RuntimeError: it failed.
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.scale_steps", step),
            env={**os.environ, **told, "PYTHONPATH": PYTHONPATH},
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"{step} failed")
        return printed

    async def stop(self) -> None:
        """End all, PostgreSQL last."""
        for child in reversed(self._children):
            await child.stop()

    async def _begin(self, recipe: Recipe) -> Child:
        child = await start(recipe, self._state.log(recipe.name))
        self._children.append(child)
        return child
