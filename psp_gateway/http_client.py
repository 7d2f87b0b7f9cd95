"""HTTP to a PSP: deadlines, a bound on the answer, and whether a request was sent.

It knows no PSP and no domain. It never repeats a request by itself and follows no redirect.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp

_decode = json.JSONDecoder().decode  # `json.loads` would guess the encoding first
_CONNECTIONS_MAX = 256
_BODY_BYTES_MAX = 1024 * 1024
_RETRY_AFTER_MAX_S = 86_400


@dataclass(frozen=True, slots=True)
class NotSent:
    """No byte of the request left: no connection was made."""


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The request may have arrived; no whole answer came."""


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer.

    Attributes:
        body: the JSON object; None when it is none.
        headers: by name in any case.
    """

    status: int
    body: Mapping[str, Any] | None
    headers: Mapping[str, str]

    @property
    def retry_after(self) -> timedelta | None:
        """How long the PSP wants to be left alone; None when it does not say, or names a date."""
        text = self.headers.get("Retry-After", "").strip()
        if not text.isascii() or not text.isdigit():
            return None
        return timedelta(seconds=min(int(text[:9]), _RETRY_AFTER_MAX_S))

    def header(self, name: str) -> str:
        """Read a header that goes into a trace: printable ASCII, 64 characters, or empty."""
        text = self.headers.get(name, "")
        return text[:64] if text.isascii() and text.isprintable() else ""


Result = NotSent | NoAnswer | Response


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a request may take, in seconds.

    Args:
        connect_s: for a connection, waiting for a free one included.
        total_s: in all.
    """

    connect_s: float = 2.0
    total_s: float = 15.0


class HttpClient:
    """One session to a PSP, connections kept.

    Args:
        base_url: scheme, host, port and the path before that of a request.
        headers: sent with each request; may hold the secret, which goes nowhere else.
    """

    def __init__(
        self, base_url: str, headers: Mapping[str, str], timeouts: Timeouts | None = None
    ) -> None:
        timeouts = timeouts or Timeouts()
        self._url = base_url.rstrip("/")
        # Uncompressed, so that the bound on the size of an answer is one on memory too.
        self._headers = {**headers, "Accept-Encoding": "identity"}
        self._timeout = aiohttp.ClientTimeout(total=timeouts.total_s, connect=timeouts.connect_s)
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the session; it connects when it is first used."""
        self._session = aiohttp.ClientSession(
            headers=self._headers,
            timeout=self._timeout,
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS_MAX),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        data: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Result:
        """Send one request; answer what came of it, and never raise for the network."""
        if self._session is None:
            raise RuntimeError("the client is not open")
        try:
            async with self._session.request(
                method,
                f"{self._url}{path}",
                data=_payload(data),
                headers=headers,
                allow_redirects=False,
            ) as response:
                return await _read(response)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            return NotSent()  # refused, no such name, no TLS, or no connection in time
        except (aiohttp.ClientError, TimeoutError, OSError):
            return NoAnswer()


def _payload(data: str | bytes | None) -> aiohttp.BytesPayload | None:
    """Say what a body is, which aiohttp would find out at the price of parsing its type; the header
    of the request's own goes before that of the payload.
    """
    if data is None:
        return None
    return aiohttp.BytesPayload(data.encode() if isinstance(data, str) else data)


async def _read(response: aiohttp.ClientResponse) -> Response:
    body = await response.content.readany()
    while not response.content.at_eof():
        if len(body) > _BODY_BYTES_MAX:
            break  # not an answer of a PSP's; leaving closes the connection
        body += await response.content.readany()
    return Response(response.status, _json_object(body), response.headers)


def _json_object(body: bytes) -> Mapping[str, Any] | None:
    if len(body) > _BODY_BYTES_MAX:
        return None
    try:
        read = _decode(body.decode())
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None
