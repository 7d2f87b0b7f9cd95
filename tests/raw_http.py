"""HTTP as no library would send it: bytes over a connection, and HTTP/2 frame by frame."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    0, 1, 2, 3, 4, 6, 7, 8, 9,
)  # fmt: skip
END_STREAM, END_HEADERS = 1, 4
PAYMENT = "/v1/payments/pay_1"
_DEADLINE_S = 60


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that came."""

    kind: int
    flags: int
    stream: int
    payload: bytes


@dataclass(slots=True)
class Wire:
    """A connection of bytes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *parts: bytes) -> None:
        """Send as much as the other side takes; it may hang up meanwhile."""
        with suppress(ConnectionError):
            self.writer.write(b"".join(parts))
            await self.writer.drain()

    async def rest(self) -> bytes:
        """Read until the other side hangs up."""
        found = b""
        async with asyncio.timeout(_DEADLINE_S):
            with suppress(ConnectionError):
                while part := await self.reader.read(65536):
                    found += part
        return found

    async def frame(self) -> Frame | None:
        """Read a frame; none when the other side has hung up."""
        async with asyncio.timeout(_DEADLINE_S):
            try:
                head = await self.reader.readexactly(9)
                payload = await self.reader.readexactly(int.from_bytes(head[:3], "big"))
            except (asyncio.IncompleteReadError, ConnectionError):
                return None
        return Frame(head[3], head[4], int.from_bytes(head[5:9], "big") & 0x7FFFFFFF, payload)

    async def until(self, *kinds: int, stream: int | None = None) -> Frame | None:
        """Skip frames until one of some kinds, of a stream where it is named."""
        while (found := await self.frame()) is not None:
            if found.kind in kinds and stream in (None, found.stream):
                return found
        return None


@asynccontextmanager
async def connected(
    address: tuple[str, int], tls: ssl.SSLContext | None = None, *, reads: int = 65536
) -> AsyncIterator[Wire]:
    """Connect, and hang up in the end; `reads` is how many bytes are taken ahead."""
    async with asyncio.timeout(_DEADLINE_S):
        reader, writer = await asyncio.open_connection(*address, ssl=tls, limit=reads)
    try:
        yield Wire(reader, writer)
    finally:
        writer.transport.abort()


async def said(address: tuple[str, int], *parts: bytes) -> bytes:
    """Send bytes and read all that is said until the other side hangs up."""
    async with connected(address) as wire:
        await wire.send(*parts)
        return await wire.rest()


def status(answer: bytes) -> int:
    """Read the status of the first answer; 0: there is none."""
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    """Write a request of HTTP/1.1 as its last on the connection."""
    told = "\r\n".join([line, *headers, "connection: close"])
    return told.encode("latin-1") + b"\r\n\r\n" + body


def frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    """Write a frame."""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags])
    return head + stream.to_bytes(4, "big") + payload


def begun() -> bytes:
    """Write how a connection begins."""
    return PREFACE + frame(SETTINGS)


def block(headers: Mapping[str, str]) -> bytes:
    """Write headers as HPACK has them, none of them shortened."""
    return b"".join(
        b"\0" + _text(name.encode()) + _text(value.encode()) for name, value in headers.items()
    )


def _text(content: bytes) -> bytes:
    length = len(content)
    if length < 127:
        return bytes([length]) + content
    length, written = length - 127, [127]
    while length >= 128:
        written.append(length % 128 + 128)
        length //= 128
    return bytes([*written, length]) + content


def asking(stream: int, *, flags: int = END_STREAM | END_HEADERS, **more: str) -> bytes:
    """Ask for a payment on a stream, by HTTP/2."""
    told = {
        ":method": "GET",
        ":scheme": "http",
        ":authority": "edge",
        ":path": "/v1/payments/pay_1",
    }
    return frame(HEADERS, block({**told, **more}), flags=flags, stream=stream)
