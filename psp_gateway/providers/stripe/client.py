"""Stripe over HTTP: form bodies, the idempotency header, and what its headers say."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus

from psp_gateway import http_client, multipart
from psp_gateway.http_client import HttpClient, NoAnswer, NotSent, Timeouts
from psp_gateway.multipart import Part

API_BASE = "https://api.stripe.com"
FILES_BASE = "https://files.stripe.com"
API_VERSION = "2026-10-28.endive"

Fields = Mapping[str, object]

_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*").fullmatch  # what quoting leaves as it is


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer.

    Attributes:
        body: the JSON object; None when it is none.
        is_replay: Stripe repeats the stored result of the key.
        should_retry: what Stripe says about trying again; None when it says nothing.
        retry_after: how long it wants to be left alone; None when it does not say.
    """

    status: int
    body: Mapping[str, Any] | None
    request_id: str
    is_replay: bool
    should_retry: bool | None
    retry_after: timedelta | None = None

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
        self._http = HttpClient(
            f"{api_base.rstrip('/')}/v1",
            {"Authorization": f"Bearer {secret_key}", "Stripe-Version": API_VERSION},
            Timeouts(connect_timeout_s, timeout_s),
        )

    async def open(self) -> None:
        """Make the session; it connects when it is first used."""
        await self._http.open()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    async def post(self, path: str, fields: Fields, *, key: str) -> Result:
        """Send a form under an idempotency key."""
        headers = {
            "Idempotency-Key": key,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return _told(
            await self._http.request("POST", path, data=encode_form(fields), headers=headers)
        )

    async def upload(
        self, purpose: str, name: str, content_type: str, content: bytes, *, key: str
    ) -> Result:
        """Send a file under an idempotency key: docs.stripe.com/api/files/create."""
        body, form = multipart.encode(
            [
                Part("purpose", purpose.encode()),
                Part("file", content, name, content_type),
            ]
        )
        headers = {"Idempotency-Key": key, "Content-Type": form}
        return _told(await self._http.request("POST", "/files", data=body, headers=headers))

    async def get(self, path: str, fields: Fields | None = None) -> Result:
        """Read."""
        query = f"?{encode_form(fields)}" if fields else ""
        return _told(await self._http.request("GET", f"{path}{query}"))


def _told(result: http_client.Result) -> Result:
    if not isinstance(result, http_client.Response):
        return result
    return Response(
        status=result.status,
        body=result.body,
        request_id=result.header("Request-Id"),
        is_replay=result.headers.get("Idempotent-Replayed") == "true",
        should_retry={"true": True, "false": False}.get(
            result.headers.get("Stripe-Should-Retry", "")
        ),
        retry_after=result.retry_after,
    )


def encode_form(fields: Fields) -> str:
    """Write fields as Stripe reads them: `metadata[payment_id]=…`, `types[]=card`."""
    pairs: list[str] = []
    for name, value in fields.items():
        _write(name, value, pairs)
    return "&".join(pairs)


def _quoted(text: str) -> str:
    return text if _PLAIN(text) else quote_plus(text)


# There are few names, and all with brackets are to be quoted.
_name = lru_cache(1024)(quote_plus)


def _write(name: str, value: object, pairs: list[str]) -> None:
    if isinstance(value, str):
        pairs.append(f"{_name(name)}={_quoted(value)}")
    elif isinstance(value, dict):
        for key, inner in value.items():
            _write(f"{name}[{key}]", inner, pairs)
    elif isinstance(value, list | tuple):
        # Objects are numbered: with `[]` each field would begin another one.
        is_numbered = any(isinstance(inner, dict) for inner in value)
        for at, inner in enumerate(value):
            _write(f"{name}[{at}]" if is_numbered else f"{name}[]", inner, pairs)
    else:
        pairs.append(f"{_name(name)}={_quoted(str(value))}")
