"""Stripe over HTTP: deadlines, idempotency header, form bodies, and whether a request was sent.

It knows no domain. It never repeats a request by itself and follows no redirect.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp

API_BASE = "https://api.stripe.com"
API_VERSION = "2026-10-28.endive"

_CONNECTIONS_MAX = 256
_BODY_BYTES_MAX = 1024 * 1024

Fields = Mapping[str, object]


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
        is_replay: Stripe repeats the stored result of the key.
        should_retry: what Stripe says about trying again; None when it says nothing.
    """

    status: int
    body: Mapping[str, Any] | None
    request_id: str
    is_replay: bool
    should_retry: bool | None

    @property
    def trace(self) -> str:
        """The status and Stripe's id of the request."""
        return f"{self.status} {self.request_id}".rstrip()


Result = NotSent | NoAnswer | Response


class StripeClient:
    """One session to Stripe.

    Args:
        api_base: scheme, host, port and path before `/v1`.
        secret_key: goes into the Authorization header and nowhere else.
        connect_timeout_s: for a connection, waiting for a free one included.
        timeout_s: for a request in all.
    """

    def __init__(
        self,
        api_base: str,
        secret_key: str,
        *,
        connect_timeout_s: float = 2.0,
        timeout_s: float = 15.0,
    ) -> None:
        self._url = f"{api_base.rstrip('/')}/v1"
        self._headers = {
            "Authorization": f"Bearer {secret_key}",
            "Stripe-Version": API_VERSION,
            # Uncompressed, so that the bound on the size of an answer is one on memory too.
            "Accept-Encoding": "identity",
        }
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, connect=connect_timeout_s)
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

    async def post(self, path: str, fields: Fields, *, key: str) -> Result:
        """Send a form under an idempotency key."""
        headers = {
            "Idempotency-Key": key,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return await self._request("POST", path, data=encode_form(fields), headers=headers)

    async def get(self, path: str, fields: Fields | None = None) -> Result:
        """Read."""
        query = f"?{encode_form(fields)}" if fields else ""
        return await self._request("GET", f"{path}{query}", data=None, headers=None)

    async def _request(
        self, method: str, path: str, *, data: str | None, headers: Mapping[str, str] | None
    ) -> Result:
        if self._session is None:
            raise RuntimeError("the client is not open")
        try:
            async with self._session.request(
                method, f"{self._url}{path}", data=data, headers=headers, allow_redirects=False
            ) as response:
                return await _read(response)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            return NotSent()  # refused, no such name, no TLS, or no connection in time
        except (aiohttp.ClientError, TimeoutError, OSError):
            return NoAnswer()


async def _read(response: aiohttp.ClientResponse) -> Response:
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > _BODY_BYTES_MAX:
            break  # not an answer of Stripe's; leaving closes the connection
    return Response(
        status=response.status,
        body=_json_object(body),
        request_id=_printable(response.headers.get("Request-Id", "")),
        is_replay=response.headers.get("Idempotent-Replayed") == "true",
        should_retry={"true": True, "false": False}.get(
            response.headers.get("Stripe-Should-Retry", "")
        ),
    )


def _json_object(body: bytearray) -> Mapping[str, Any] | None:
    if len(body) > _BODY_BYTES_MAX:
        return None
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def _printable(text: str) -> str:
    return text[:64] if text.isascii() and text.isprintable() else ""


def encode_form(fields: Fields) -> str:
    """Write fields as Stripe reads them: `metadata[payment_id]=…`, `types[]=card`."""
    return urlencode([pair for name, value in fields.items() for pair in _flat(name, value)])


def _flat(name: str, value: object) -> Sequence[tuple[str, str]]:
    if isinstance(value, Mapping):
        return [pair for key, inner in value.items() for pair in _flat(f"{name}[{key}]", inner)]
    if isinstance(value, list | tuple):
        return [pair for inner in value for pair in _flat(f"{name}[]", inner)]
    return [(name, str(value))]
