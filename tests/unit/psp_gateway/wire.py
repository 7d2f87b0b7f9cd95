"""A server of scripted bytes, for what no honest HTTP server would send."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from psp_gateway.providers.stripe.client import StripeClient

SECRET_KEY = "sk_test_canary_4242"
HANG = b"hang"


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
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(content)}\r\n{headers}\r\n"
    return head.encode() + content


@asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[Wire]:
    """Answer each request by the script, then hang up; HANG keeps silent instead."""
    end = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _read(reader)
        except (asyncio.IncompleteReadError, ValueError):
            return writer.close()  # not HTTP
        wire.requests.append(request)
        said = script(request)
        if said == HANG:
            await end.wait()
        else:
            writer.write(said)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    wire = Wire(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    try:
        yield wire
    finally:
        end.set()
        server.close()
        await server.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *fields = head.strip().split("\r\n")
    headers = {name.lower(): value for name, value in (f.split(": ", 1) for f in fields)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(line, headers, body.decode())


@asynccontextmanager
async def opened(
    api_base: str, *, connect_timeout_s: float = 2.0, timeout_s: float = 5.0
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
