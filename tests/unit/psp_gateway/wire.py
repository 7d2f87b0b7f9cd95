"""A server of scripted bytes, for what no honest HTTP server would send."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from psp_gateway.providers.stripe.client import StripeClient
from tests.unit.psp_gateway.sandbox import SECRET_KEY

HANG = b"\0hang"


def patience_s(*said: bytes) -> float:
    """Tell how long to wait for answers: not long for one that never comes, and long for others."""
    return 0.5 if any(one.endswith(HANG) for one in said) else 30.0


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came in."""

    line: str
    headers: dict[str, str]
    body: str


Script = Callable[[Request], bytes]


@dataclass
class Wire:
    """Where the server listens, and what it was sent."""

    url: str
    requests: list[Request] = field(default_factory=list)


def answer(body: Any = None, *, status: int = 200, headers: str = "") -> bytes:
    """Write an answer; `body` is JSON, or bytes as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    length = f"Content-Length: {len(content)}\r\n"
    head = f"HTTP/1.1 {status} X\r\nConnection: close\r\n{length}{headers}\r\n"
    return head.encode() + content


@asynccontextmanager
async def scripted(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    """Answer each request by the script, then hang up; HANG at its end keeps silent instead."""
    end = asyncio.Event()

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await _read(reader)
        wire.requests.append(request)
        said = script(request)
        writer.write(said.removesuffix(HANG))
        if said.endswith(HANG):
            await end.wait()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError, ValueError, OSError):  # not HTTP, or gone
            await say(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    served: list[asyncio.Task[None] | None] = []
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    wire = Wire(f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    try:
        yield wire
    finally:
        end.set()
        server.close()
        await asyncio.gather(*(task for task in served if task))
        await server.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *fields = head.strip().split("\r\n")
    headers = {name.lower(): value for name, value in (f.split(": ", 1) for f in fields)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(line, headers, body.decode())


@asynccontextmanager
async def opened(
    api_base: str, *, connect_timeout_s: float = 30.0, timeout_s: float = 30.0
) -> AsyncIterator[StripeClient]:
    """Open a client; close it with the block."""
    client = StripeClient(
        api_base, SECRET_KEY, connect_timeout_s=connect_timeout_s, timeout_s=timeout_s
    )
    await client.open()
    try:
        yield client
    finally:
        await client.close()
