"""A sandbox served by this process on a free port; `restart` finds it again from its record."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp
from aiohttp.test_utils import TestServer

from devstack.sandbox.app import Options, build
from devstack.sandbox.world import World


@dataclass
class Served:
    """The sandbox, and how to call it."""

    record: Path
    server: TestServer
    world: World
    session: aiohttp.ClientSession
    headers: Mapping[str, str]

    @classmethod
    async def start(cls, record: Path, headers: Mapping[str, str]) -> Self:
        """Serve on a free port of 127.0.0.1; `headers` go with each call."""
        app, world, _ = build(Options(port=0, record=record))
        server = TestServer(app, host="127.0.0.1")
        await server.start_server()
        world.base_url = str(server.make_url("")).rstrip("/")
        timeout = aiohttp.ClientTimeout(total=60)
        session = aiohttp.ClientSession(world.base_url, timeout=timeout)
        return cls(record, server, world, session, headers)

    async def stop(self) -> None:
        """End it and bring the record to disk."""
        self.world.stopping.set()
        await self.session.close()
        await self.server.close()
        await self.world.record.close()

    async def restart(self) -> None:
        """Restart on the same record."""
        await self.stop()
        again = await Served.start(self.record, self.headers)
        self.server, self.world, self.session = again.server, again.world, again.session

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any, Mapping[str, str]]:
        """Make a call; give status, JSON body (or text when it is none) and headers."""
        async with self.session.request(
            method,
            path,
            data=None if body is None else body if isinstance(body, bytes) else json.dumps(body),
            headers={**self.headers, **(headers or {})},
            allow_redirects=False,
        ) as response:
            text = await response.text()
            try:
                content = json.loads(text) if text else None
            except ValueError:
                content = text
            return response.status, content, dict(response.headers)

    async def fault(self, kind: str, operation: str, **fields: object) -> None:
        """Put a fault in force for one operation."""
        body = {"kind": kind, "match": {"operation": operation}, **fields}
        status, content, _ = await self.send("POST", "/control/faults", body)
        assert status == 200, content

    async def advance(self, seconds: float) -> None:
        """Move the clock on."""
        await self.send("POST", "/control/clock", {"advance_s": seconds})

    async def lines(self, query: str = "") -> list[tuple[str, int]]:
        """List kinds and amounts of the money lines."""
        _, content, _ = await self.send("GET", f"/control/record{query}")
        return [(entry["kind"], entry["amount"]) for entry in content["entries"]]
