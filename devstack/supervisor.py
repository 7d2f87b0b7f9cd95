"""Starts the stack in order, watches it, restarts what crashes, and ends it whole.

`python -m devstack.supervisor` is what `paymesh up --detach` leaves behind.
"""

import argparse
import asyncio
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from devstack import edge, plan
from devstack.health import redis_ready, serving, url_ready
from devstack.postgres import Postgres
from devstack.processes import Child, Recipe, end_leftovers, start, start_time
from devstack.services import SERVICES, Service
from devstack.state import StackError, State, choose_ports, write_private

_READY_TIMEOUT_S = 60.0
_RESTART_PAUSES_S = (0.05, 0.05, 0.2, 1.0, 3.0)
_STEADY_S = 3.0

Tell = Callable[[str], None]
Gate = Callable[[], Awaitable[None]]


class Supervisor:
    """One stack. `tell` is given each line that a person should see."""

    def __init__(self, state: State, choices: plan.Choices, tell: Tell) -> None:
        self._state = state
        self._choices = choices
        self._tell = tell
        self._children: dict[str, Child] = {}
        self._restarts: dict[str, int] = {}
        self._watchers: list[asyncio.Task[None]] = []
        self._client: dict[str, Any] = {}
        self._lock: IO[str] | None = None
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        """Start, serve until `stopping`, stop.

        Raises:
            StackError: something did not start; all is stopped again.
        """
        self._state.prepare()
        self._take_lock()
        self._end_leftovers()
        try:
            self._ports = choose_ports(self._choices.ports)
            await self._until_stopping(self._start())
            await self.stopping.wait()
        finally:
            await self._stop()

    async def _until_stopping(self, work: Awaitable[None]) -> None:
        """Start, unless a signal comes first."""
        starting = asyncio.ensure_future(work)
        stopping = asyncio.create_task(self.stopping.wait())
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not starting.done():
            starting.cancel()
        with suppress(asyncio.CancelledError):
            await starting

    async def _start(self) -> None:
        began = time.monotonic()
        postgres = await asyncio.to_thread(Postgres, self._state, self._ports["postgres"])
        await asyncio.gather(
            self._begin(plan.redis_recipe(self._state, self._ports), self._redis_gate),
            self._begin(plan.sandbox_recipe(self._state, self._ports), self._sandbox_gate),
            self._start_postgres(postgres),
        )
        await asyncio.gather(*(self._start_service(service, postgres) for service in SERVICES))
        await self._start_edge()
        self._client = await self._demo_client()
        self._write_stack(postgres)
        self._tell(f"ready in {time.monotonic() - began:.1f} s: {self._edge_url}")
        self._postgres = postgres

    async def _start_postgres(self, postgres: Postgres) -> None:
        await asyncio.to_thread(postgres.initialize)
        await self._begin(postgres.recipe(), postgres.until_ready)
        began = time.monotonic()
        await asyncio.to_thread(postgres.create_databases)
        await asyncio.to_thread(postgres.migrate)
        self._tell(_line("databases, roles, migrations", began))

    async def _start_service(self, service: Service, postgres: Postgres) -> None:
        recipe = plan.service_recipe(service, self._state, self._ports, postgres, self._choices)
        await self._begin(recipe, lambda: serving(f"127.0.0.1:{self._ports[service.name]}"))

    async def _start_edge(self) -> None:
        rendered = edge.render(self._state, self._ports, self._choices.environment)
        url = f"http://127.0.0.1:{self._ports['edge_admin']}/ready"
        await self._begin(edge.recipe(rendered), lambda: url_ready(url))

    async def _begin(self, recipe: Recipe, gate: Gate) -> None:
        """Start a process and wait until it is ready.

        Raises:
            StackError: it ended, or was not ready in time.
        """
        began = time.monotonic()
        child = await self._spawn(recipe)
        ended = asyncio.create_task(child.process.wait())
        ready = asyncio.ensure_future(gate())
        await asyncio.wait(
            [ended, ready], timeout=_READY_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
        )
        if not ready.done():
            ready.cancel()
            how = f"ended with {child.process.returncode}" if ended.done() else "is not ready"
            raise StackError(f"{recipe.name} {how}: {self._state.last_lines(recipe.name, 3)}")
        ended.cancel()
        ready.result()
        self._watchers.append(asyncio.create_task(self._watch(recipe.name)))
        self._tell(_line(recipe.name, began))

    async def _spawn(self, recipe: Recipe) -> Child:
        child = await start(recipe, self._state.log(recipe.name))
        self._children[recipe.name] = child
        noted = {name: [c.pid, c.started] for name, c in self._children.items()}
        write_private(self._state.children_file, noted)
        return child

    async def _watch(self, name: str) -> None:
        """Restart a process whenever it ends, more slowly each time until it is steady."""
        crashes = 0
        while True:
            child, since = self._children[name], time.monotonic()
            code = await child.process.wait()
            if self.stopping.is_set():
                return
            crashes = 0 if time.monotonic() - since > _STEADY_S else crashes + 1
            pause = _RESTART_PAUSES_S[min(crashes, len(_RESTART_PAUSES_S)) - 1 if crashes else 0]
            self._tell(f"! {name} ended with {code}; restarting it in {pause} s")
            await asyncio.sleep(pause)
            # A fault that a test asked for strikes once, or the restart would die of it again.
            faults = {"FAULT_POINTS": self._state.take_fault(name)}
            recipe = replace(child.recipe, environment={**child.recipe.environment, **faults})
            self._restarts[name] = self._restarts.get(name, 0) + 1
            await self._spawn(recipe)
            self._write_stack(self._postgres)

    async def _demo_client(self) -> dict[str, Any]:
        from devstack.demo_client import ensure_demo_client

        target = f"127.0.0.1:{self._ports['edge_auth']}"
        known = self._state.known_secret("demo_api_key")
        client = await ensure_demo_client(target, known)
        self._state.keep_secret("demo_api_key", str(client["api_key"]))
        return client

    def _write_stack(self, postgres: Postgres) -> None:
        described = plan.describe(self._state, self._ports, postgres, self._client)
        for name, entry in described["services"].items():
            entry["pid"] = self._children[name].pid
            entry["healthy"] = self._children[name].is_alive
            entry["restarts"] = self._restarts.get(name, 0)
        pid = os.getpid()
        described["supervisor"] = {"pid": pid, "started": start_time(pid)}
        write_private(self._state.stack_file, described)

    async def _stop(self) -> None:
        """End everything in the reverse of the order in which it came up."""
        self.stopping.set()
        self._state.stack_file.unlink(missing_ok=True)
        for watcher in self._watchers:
            watcher.cancel()
        names = [s.name for s in SERVICES]
        await self._end("edge")
        await asyncio.gather(*map(self._end, names))
        await asyncio.gather(*map(self._end, ("sandbox", "redis", "postgres")))
        self._state.children_file.unlink(missing_ok=True)
        self._tell("stopped")

    async def _end(self, name: str) -> None:
        if name in self._children:
            await self._children[name].stop()

    def _take_lock(self) -> None:
        self._lock = (self._state.folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StackError(f"a stack is running already in {self._state.folder}") from error

    def _end_leftovers(self) -> None:
        with suppress(FileNotFoundError, ValueError):
            ended = end_leftovers(json.loads(self._state.children_file.read_text()))
            if ended:
                self._tell(f"ended what a former run left behind: {', '.join(ended)}")
        self._state.stack_file.unlink(missing_ok=True)

    async def _redis_gate(self) -> None:
        await redis_ready(plan.redis_url(self._state, self._ports))

    async def _sandbox_gate(self) -> None:
        await url_ready(f"http://127.0.0.1:{self._ports['sandbox']}/control/state")

    @property
    def _edge_url(self) -> str:
        return f"http://127.0.0.1:{self._ports['edge']}"


def _line(name: str, began: float) -> str:
    return f"✓ {name:<30} {time.monotonic() - began:5.1f} s"


async def supervise(state: State, choices: plan.Choices, tell: Tell) -> None:
    """Run a stack until SIGTERM or SIGINT.

    Raises:
        StackError: it did not start.
    """
    supervisor = Supervisor(state, choices, tell)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, supervisor.stopping.set)
    await supervisor.run()


def main() -> int:
    """Supervise a stack in the background."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", required=True, type=Path)
    parser.add_argument("--ports", default="")
    parser.add_argument("--risk", default="open")
    parser.add_argument("--environment", default="development")
    given = parser.parse_args()
    choices = plan.Choices(given.ports, given.risk, given.environment)
    try:
        asyncio.run(supervise(State(given.state), choices, lambda line: print(line, flush=True)))
    except StackError as error:
        print(f"error: {error}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
