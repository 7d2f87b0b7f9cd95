"""The stage of a run: a stack whose services reach PostgreSQL through a door, and a second
coordinator beside the first.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from redis.asyncio import Redis

from devstack.processes import dies_with_parent, start_time
from devstack.stack import down, spawn
from devstack.state import State

LEASE_S = 5.0
FIRST_WALKS, SECOND_WALKS, QUEUE_DEPTH_MAX = 24, 128, 400
# Short, so that a minute of trouble holds many of them; each call still ends within a lease.
_SETTINGS = {
    "SAGA_LEASE_S": str(LEASE_S),
    "RPC_TIMEOUT_S": "4",
    "PSP_ANSWER_S": "2",
    "STRIPE_TIMEOUT_S": "3",
    "ADYEN_TIMEOUT_S": "3",
    "PAYPAL_TIMEOUT_S": "3",
    # Sized for two cores, so that an overload of some seconds is one. The instance that the edge
    # asks walks few sagas itself, so that it answers soon; the second one walks the most.
    "SAGAS_IN_FLIGHT_MAX": str(FIRST_WALKS),
    "QUEUE_DEPTH_MAX": str(QUEUE_DEPTH_MAX),
    "LOG_LEVEL": "info",
}
_ROOT = Path(__file__).resolve().parents[2]
SECOND = "payment_svc-1"
# payment_svc, killed when who started it dies. It says so itself: to fork with code to run in the
# child is no good idea in a process that has gRPC's threads.
_BOUND = (
    "import ctypes, runpy; ctypes.CDLL(None).prctl(1, 9);"
    " runpy.run_module('payment_svc', run_name='__main__', alter_sys=True)"
)


class DoorControl:
    """Gives orders to a door process."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self._turn = asyncio.Lock()
        self.port = port

    @classmethod
    async def start(cls, state: State) -> "DoorControl":
        """Start a door on a free port before the PostgreSQL of `state`."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.chaos.door"),
            *("--postmaster", str(state.folder / "postgres" / "postmaster.pid")),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=_ROOT,
            preexec_fn=dies_with_parent(signal.SIGKILL),
        )
        assert process.stdout is not None
        return cls(process, int(json.loads(await process.stdout.readline())["port"]))

    async def order(self, command: str) -> dict[str, int]:
        """Give a command; answer how often each trouble took effect so far."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._turn:
            self._process.stdin.write(command.encode() + b"\n")
            return dict(json.loads(await self._process.stdout.readline()))

    async def close(self) -> None:
        """End the door."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


class Second:
    """A second payment_svc over the same database, which takes over sagas; restarted as it dies."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._process: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None
        self.restarts = -1

    async def __aenter__(self) -> "Second":
        self._keeping = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def process(self) -> tuple[int, str] | None:
        """Tell its pid and start time; None while there is none."""
        if self._process is None or self._process.returncode is not None:
            return None
        started = start_time(self._process.pid)
        return (self._process.pid, started) if started else None

    async def _keep(self) -> None:
        environment = self._environment()
        log = self._state.log(SECOND)
        while True:
            with log.open("ab") as stream:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-c", _BOUND),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=stream,
                    stderr=stream,
                    env=environment,
                    cwd="/",
                )
            self.restarts += 1
            await self._process.wait()
            await asyncio.sleep(0.2)

    def _environment(self) -> dict[str, str]:
        """Take the first one's settings, but for its name and its ports."""
        first = self._state.running()["services"]["payment_svc"]["pid"]
        pairs = Path(f"/proc/{first}/environ").read_bytes().decode().split("\0")
        told = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        anywhere = {"LISTEN": "127.0.0.1:0", "METRICS_LISTEN": "127.0.0.1:0"}
        own = {"INSTANCE_ID": SECOND, "SAGAS_IN_FLIGHT_MAX": str(SECOND_WALKS)}
        return {**told, **anywhere, **own}


def as_role(state: State, context: str, role: str) -> str:
    """Write the URL of a database for another role than its service's."""
    parts = urlsplit(state.running()["databases"][context])
    login = f"{role}:{state.secret(role)}@{parts.netloc.rpartition('@')[2]}"
    return str(urlunsplit(parts._replace(netloc=login)))


def _write_out(state: State) -> None:
    """Have PostgreSQL write out what making the databases left in memory, as it has long done where
    a stack is not new: else its first crash is followed by some thousand syncs.
    """
    with psycopg.connect(as_role(state, "ledger", "postgres"), autocommit=True) as connection:
        connection.execute("CHECKPOINT")


class Stage:
    """What a run plays on."""

    def __init__(self, state: State, door: DoorControl, second: Second) -> None:
        self.state, self.door, self.second = state, door, second
        self.described: Mapping[str, Any] = state.running()

    def process(self, name: str) -> tuple[int, str] | None:
        """Tell the pid and start time of a process that runs now; None while there is none."""
        if name == SECOND:
            return self.second.process()
        noted = self.state.children().get(name)
        found = (int(noted[0]), str(noted[1])) if noted else None
        return found if found and start_time(found[0]) == found[1] else None

    async def flush_redis(self) -> None:
        """Have Redis forget everything.

        Raises:
            RedisError, OSError: it does not answer.
        """
        async with Redis.from_url(self.described["redis"]) as redis:
            await redis.flushall()

    def send(self, name: str, number: int) -> tuple[int, str] | None:
        """Send a signal; answer to whom, None when there was nobody."""
        process = self.process(name)
        if process is None:
            return None
        try:
            os.kill(process[0], number)
        except ProcessLookupError:
            return None
        return process


def fenced(state: State) -> int:
    """Count the late writes of coordinators who had lost a saga, as their logs tell."""
    logs = [state.log("payment_svc"), state.log(SECOND)]
    return sum(log.read_text(errors="replace").count('"lease_lost"') for log in logs)


@contextmanager
def _environment(extra: Mapping[str, str]) -> Iterator[None]:
    """Set variables that the stack inherits; what the user has set stays."""
    added = {name: value for name, value in extra.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


@asynccontextmanager
async def staged(folder: Path, *, database_door: bool = True) -> AsyncIterator[Stage]:
    """Run a stack in `folder` for the time of a `with`.

    Raises:
        StackError: it did not start.
    """
    state = State(folder)
    state.prepare()
    door = await DoorControl.start(state)
    try:
        with _environment(_SETTINGS):
            port = door.port if database_door else 0
            await asyncio.to_thread(spawn, state, ports="auto", risk="open", database_port=port)
        await asyncio.to_thread(_write_out, state)
        async with Second(state) as second:
            yield Stage(state, door, second)
    finally:
        await asyncio.to_thread(down, state)
        await door.close()
