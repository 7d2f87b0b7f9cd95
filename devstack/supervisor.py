"""Starts the stack in order, watches over it, and ends it whole.

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
import traceback
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from devstack import edge, plan
from devstack.health import envoy_ready, redis_ready, serving, url_ready
from devstack.keeper import Keeper, Tell, done, together
from devstack.mesh.certificates import utc_now
from devstack.mesh.embedded import EmbeddedMesh
from devstack.mesh.identities import EDGE
from devstack.mesh.renewal import renewing
from devstack.ports import claimed_ports
from devstack.postgres import Postgres
from devstack.processes import end_leftovers, start_time
from devstack.services import SERVICES, Service
from devstack.state import StackError, State, write_private

_CONNECTED_S = 60.0


class Supervisor:
    """One stack. `tell` is given each line that a person should see."""

    def __init__(self, state: State, choices: plan.Choices, tell: Tell) -> None:
        self._state = state
        self._choices = choices
        self._tell = tell
        self._keeper = Keeper(state, tell, self._write_stack)
        self._described: dict[str, Any] | None = None
        self._ports: Mapping[str, int] = {}
        self._mesh: EmbeddedMesh | None = None
        self._renewing: asyncio.Task[None] | None = None
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        """Start, serve until `stopping`, stop.

        Raises:
            StackError: something did not start; all is stopped again.
        """
        self._state.prepare()
        with self._locked():
            self._end_leftovers()
            with claimed_ports(self._choices.ports) as self._ports:
                try:
                    await self._until_stopping(self._start())
                    await self.stopping.wait()
                finally:
                    await self._stop()

    async def _until_stopping(self, work: Coroutine[Any, Any, None]) -> None:
        """Start, unless a signal comes first."""
        starting = asyncio.create_task(work)
        stopping = asyncio.create_task(self.stopping.wait())
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        starting.cancel()
        with suppress(asyncio.CancelledError):
            await starting

    async def _start(self) -> None:
        began = time.monotonic()
        if self._choices.mesh:
            self._mesh = EmbeddedMesh(self._state, self._ports, self._choices.environment)
            await asyncio.to_thread(self._mesh.prepare, utc_now())
        postgres = await asyncio.to_thread(Postgres, self._state, self._ports["postgres"])
        begin = self._keeper.begin
        await together(
            begin(plan.redis_recipe(self._state, self._ports), self._redis_gate),
            begin(plan.sandbox_recipe(self._state, self._ports), self._sandbox_gate),
            self._start_postgres(postgres),
            # What they call comes later; to have them by then costs nobody any time.
            *(self._start_sidecar(self._mesh, s.name) for s in SERVICES if self._mesh),
        )
        await together(*(self._start_service(service, postgres) for service in SERVICES))
        certificate = None
        if self._choices.tls:
            certificate = await asyncio.to_thread(edge.own_certificate, self._state, utc_now())
        rendered = edge.render(
            self._state,
            self._ports,
            self._choices.environment,
            self._mesh,
            certificate=certificate,
        )
        await begin(edge.recipe(rendered), self._edge_gate)
        described = plan.describe(self._state, self._ports, postgres, {})
        if self._choices.tls:
            described["edge"] |= edge.describe_tls(self._state, self._ports)
        if self._mesh:
            await self._until_connected(self._mesh)
            described["operators"] = self._mesh.describe()
            self._renewing = asyncio.create_task(renewing(self._mesh.certificates))
        described["client"] = await self._demo_client(described)
        self._described = described
        self._write_stack()
        self._tell(f"ready in {time.monotonic() - began:.1f} s: {self._described['edge']['url']}")

    async def _start_postgres(self, postgres: Postgres) -> None:
        await postgres.initialize()
        await self._keeper.begin(postgres.recipe(), postgres.until_ready)
        what, began = "databases, roles, migrations", time.monotonic()
        self._tell(f"… {what}")
        await asyncio.to_thread(postgres.create_databases)
        await asyncio.to_thread(postgres.migrate)
        self._tell(done(what, began))

    async def _start_service(self, service: Service, postgres: Postgres) -> None:
        recipe = plan.service_recipe(
            service, self._state, self._ports, postgres, self._choices, self._mesh
        )
        places = self._mesh or plan.Loopback(self._ports)
        await self._keeper.begin(recipe, lambda: serving(places.application(service.name)))

    async def _start_sidecar(self, mesh: EmbeddedMesh, service: str) -> None:
        await self._keeper.begin(mesh.sidecar(service), lambda: envoy_ready(mesh.admin(service)))

    async def _until_connected(self, mesh: EmbeddedMesh) -> None:
        """Wait until the edge and every sidecar find those healthy whom they call.

        Raises:
            StackError: they do not in a minute.
        """
        began = time.monotonic()
        self._tell("… mesh")
        admins = [mesh.admin(name) for name in (EDGE, *(service.name for service in SERVICES))]
        try:
            async with asyncio.timeout(_CONNECTED_S):
                await together(*(envoy_ready(admin, with_upstreams=True) for admin in admins))
        except TimeoutError as error:
            raise StackError("the sidecars do not reach each other; see their logs") from error
        self._tell(done("mesh", began))

    async def _demo_client(self, described: Mapping[str, Any]) -> dict[str, Any]:
        from devstack.demo_client import ensure_demo_client

        secret = self._state.known_secret
        known = {"api_key": secret("demo_api_key"), "secret": secret("demo_secret")}
        is_free = self._choices.environment == "development"
        client = await ensure_demo_client(described, known, may_all=is_free)
        for name in known:
            if client[name] is not None:
                self._state.keep_secret(f"demo_{name}", str(client[name]))
        return client

    async def _redis_gate(self) -> None:
        await redis_ready(plan.redis_url(self._state, self._ports))

    async def _sandbox_gate(self) -> None:
        await url_ready(f"http://127.0.0.1:{self._ports['sandbox']}/control/state")

    async def _edge_gate(self) -> None:
        await envoy_ready(edge.admin(self._ports, self._mesh))

    def _write_stack(self) -> None:
        """Write stack.json, once there is a stack, with the pids and the health of now."""
        if self._described is None or self.stopping.is_set():
            return
        services = self._described["services"]
        self._described["processes"] = processes = {}
        for name, kept in self._keeper.kept.items():
            now = {"pid": kept.child.pid, "healthy": kept.healthy, "restarts": kept.restarts}
            services[name].update(now) if name in services else processes.update({name: now})
        self._described["supervisor"] = _identity()
        write_private(self._state.stack_file, self._described)

    async def _stop(self) -> None:
        """End everything in the reverse of the order in which it came up."""
        self.stopping.set()
        self._keeper.let_go()
        if self._renewing is not None:
            self._renewing.cancel()
        self._state.stack_file.unlink(missing_ok=True)
        callers = [service.name for service in SERVICES if service.peers]
        called = [service.name for service in SERVICES if not service.peers]
        sidecars = [f"{service.name}.sidecar" for service in SERVICES]
        for names in (["edge"], callers, called, sidecars, ["sandbox", "redis", "postgres"]):
            await self._keeper.end(names)
        self._state.children_file.unlink(missing_ok=True)
        self._tell("stopped")

    def _locked(self) -> IO[str]:
        """Take the state folder for this process, until it ends or the file is closed.

        Raises:
            StackError: another supervisor has it.
        """
        lock = self._state.lock_file.open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise StackError(f"a stack is running already in {self._state.folder}") from error
        lock.truncate(0)
        json.dump(_identity(), lock)
        lock.flush()
        return lock

    def _end_leftovers(self) -> None:
        ended = end_leftovers(self._state.children())
        if ended:
            self._tell(f"ended what a former run left behind: {', '.join(ended)}")
        self._state.stack_file.unlink(missing_ok=True)


def _identity() -> dict[str, Any]:
    return {"pid": os.getpid(), "started": start_time(os.getpid())}


async def supervise(state: State, choices: plan.Choices, tell: Tell) -> None:
    """Run a stack until SIGTERM, SIGINT or SIGHUP.

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
    parser.add_argument("--database-port", type=int, default=0)
    parser.add_argument("--mesh", action="store_true")
    parser.add_argument("--tls", action="store_true")
    given = parser.parse_args()
    choices = plan.Choices(
        given.ports, given.risk, given.environment, given.database_port, given.mesh, given.tls
    )
    try:
        asyncio.run(supervise(State(given.state), choices, lambda line: print(line, flush=True)))
    except StackError as error:
        print(f"error: {error}", flush=True)
        return 1
    except Exception as error:  # noqa: BLE001 - the log has all of it, who waits gets a line
        traceback.print_exc()
        print(f"error: {error!r}; see {State(given.state).log('supervisor')}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
