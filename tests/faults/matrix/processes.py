"""The nurseries as the matrix sees them, and the processes that they fork."""

import asyncio
import itertools
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = (
    "payment_svc", "psp_gateway", "wallet_svc", "ledger_svc", "risk_svc", "devstack.sandbox",
)  # fmt: skip
_READY_S = 60.0


@dataclass(slots=True)
class Forked:
    """A process; `ended` holds its status, -9 for a kill."""

    pid: int
    ended: "asyncio.Future[int]"

    def signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if not self.ended.done():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def kill(self) -> None:
        """End it as a crash does."""
        self.signal(signal.SIGKILL)
        await self.ended


@dataclass(slots=True)
class Nursery:
    """Forks one program."""

    process: asyncio.subprocess.Process
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    _ids: "itertools.count[int]" = field(default_factory=itertools.count)
    _asked: "dict[int, asyncio.Future[Forked]]" = field(default_factory=dict)
    _alive: dict[int, Forked] = field(default_factory=dict)

    async def fork(
        self, environment: Mapping[str, str], log: Path, arguments: Sequence[str] = ()
    ) -> Forked:
        """Start a process; its output goes to the end of `log`."""
        number = next(self._ids)
        told = {
            "id": number, "environment": dict(environment), "log": str(log),
            "arguments": list(arguments),
        }  # fmt: skip
        self._asked[number] = future = asyncio.get_running_loop().create_future()
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(told).encode() + b"\n")
        return await future

    async def listen(self) -> None:
        """Take in what it reports, until it ends."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            told = json.loads(line)
            if "ready" in told:
                self.ready.set()
            elif "ended" in told:
                self._alive.pop(told["ended"]).ended.set_result(told["status"])
            else:
                forked = Forked(told["pid"], asyncio.get_running_loop().create_future())
                self._alive[told["pid"]] = forked
                self._asked.pop(told["id"]).set_result(forked)


@asynccontextmanager
async def nurseries(log: Path) -> AsyncIterator[Mapping[str, Nursery]]:
    """Start a nursery per program; they and all that they forked end with the block."""
    async with AsyncExitStack() as stack:
        started = {program: await _started(program, log, stack) for program in PROGRAMS}
        async with asyncio.timeout(_READY_S):
            for nursery in started.values():
                await nursery.ready.wait()
        yield started


async def _started(program: str, log: Path, stack: AsyncExitStack) -> Nursery:
    with log.open("ab") as stream:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.faults.matrix.nursery", program),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stream,
            env={**os.environ, "no_grpc_proxy": "127.0.0.1"},
        )
    nursery = Nursery(process)
    listening = asyncio.create_task(nursery.listen())

    async def end() -> None:
        process.kill()  # its children die with it
        await process.wait()
        await listening

    stack.push_async_callback(end)
    return nursery
