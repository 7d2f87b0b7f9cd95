"""Adyen over HTTP: JSON bodies, the idempotency header, and what its headers say."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from psp_gateway import http_client
from psp_gateway.http_client import HttpClient, NoAnswer, NotSent, Timeouts

API_BASE = "https://checkout-test.adyen.com"
DISPUTE_BASE = "https://ca-test.adyen.com"
VERSION = "v71"

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer.

    Attributes:
        body: the JSON object; None when it is none.
        reference: Adyen's own id of the exchange.
        is_transient: Adyen says that nothing was kept under the key, so that it may be sent again.
        retry_after: how long it wants to be left alone; None when it does not say.
    """

    status: int
    body: Mapping[str, Any] | None
    reference: str
    is_transient: bool
    retry_after: timedelta | None = None

    @property
    def trace(self) -> str:
        """The status and Adyen's id of the exchange."""
        return f"{self.status} {self.reference}".rstrip()


Result = NotSent | NoAnswer | Response


class AdyenClient:
    """One session to one of Adyen's APIs.

    Args:
        api_base: scheme, host, port and path before that of the API.
        api_key: goes into the X-API-Key header and nowhere else.
        connect_timeout_s: for a connection, waiting for a free one included.
        timeout_s: for a request in all.
        path: of the API with its version.
    """

    def __init__(
        self,
        api_base: str,
        api_key: str,
        *,
        connect_timeout_s: float = 2.0,
        timeout_s: float = 15.0,
        path: str = VERSION,
    ) -> None:
        self._http = HttpClient(
            f"{api_base.rstrip('/')}/{path}",
            {"X-API-Key": api_key},
            Timeouts(connect_timeout_s, timeout_s),
        )

    async def open(self) -> None:
        """Make the session; it connects when it is first used."""
        await self._http.open()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    async def post(self, path: str, content: Mapping[str, object], *, key: str) -> Result:
        """Send JSON under an idempotency key."""
        headers = {"Idempotency-Key": key_of(key), "Content-Type": "application/json"}
        result = await self._http.request("POST", path, data=_encode(content), headers=headers)
        return _told(result)

    async def get(self, path: str) -> Result:
        """Read."""
        return _told(await self._http.request("GET", path))

    async def patch(self, path: str, content: Mapping[str, object]) -> Result:
        """Change an object; no idempotency key goes with that."""
        headers = {"Content-Type": "application/json"}
        result = await self._http.request("PATCH", path, data=_encode(content), headers=headers)
        return _told(result)


def key_of(key: str) -> str:
    """Fit a key into Adyen's 64 characters: a UUID of it, always the same.

    See https://docs.adyen.com/development-resources/api-idempotency.
    """
    return str(uuid5(NAMESPACE_URL, f"paymesh:{key}"))


def _told(result: http_client.Result) -> Result:
    if not isinstance(result, http_client.Response):
        return result
    return Response(
        status=result.status,
        body=result.body,
        reference=result.header("pspReference"),
        is_transient=result.headers.get("transient-error", "").lower() == "true",
        retry_after=result.retry_after,
    )
