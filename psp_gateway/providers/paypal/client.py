"""PayPal over HTTP: JSON bodies, access tokens, the header of idempotency, and the debug id."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from chassis.telemetry import logger
from psp_gateway import http_client, multipart
from psp_gateway.http_client import HttpClient, NoAnswer, NotSent, Timeouts
from psp_gateway.multipart import Part
from psp_gateway.providers.paypal.tokens import AccessToken, AccessTokens, NoToken, debug_id

API_BASE = "https://api-m.sandbox.paypal.com"

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer.

    Attributes:
        body: the JSON object; None when it is none.
        debug_id: PayPal's own id of the exchange.
        retry_after: how long it wants to be left alone; None when it does not say.
    """

    status: int
    body: Mapping[str, Any] | None
    debug_id: str = ""
    retry_after: timedelta | None = None

    @property
    def trace(self) -> str:
        """The status and PayPal's id of the exchange."""
        return f"{self.status} {self.debug_id}".rstrip()


Result = NotSent | NoAnswer | Response


class PayPalClient:
    """One session to PayPal.

    A call without an access token is not sent, whatever became of the fetch. A call that PayPal
    answers with 401 was not executed: it is sent once more, with another token.

    Args:
        api_base: scheme, host, port and path before `/v1` or `/v2`.
        client_id: of the application; with the secret it goes into the fetch of a token alone.
        client_secret: its secret.
        connect_timeout_s: for a connection, waiting for a free one included.
        timeout_s: for each request in all, the fetch of a token being one of its own.
    """

    def __init__(
        self,
        api_base: str,
        client_id: str,
        client_secret: str,
        *,
        connect_timeout_s: float = 2.0,
        timeout_s: float = 15.0,
    ) -> None:
        self._http = HttpClient(api_base, {}, Timeouts(connect_timeout_s, timeout_s))
        self._tokens = AccessTokens(self._http, client_id, client_secret)
        self._log = logger()

    async def open(self) -> None:
        """Make the session; it connects, and fetches a token, when it is first used."""
        await self._http.open()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()
        await self._tokens.close()

    async def post(self, path: str, body: Mapping[str, object], *, key: str = "") -> Result:
        """Send JSON, under an idempotency key unless it is empty; ask for the whole object."""
        headers = {"Content-Type": "application/json", "Prefer": "return=representation"}
        if key:
            headers["PayPal-Request-Id"] = key_of(key)
        return await self._call("POST", path, _encode(body), headers)

    async def post_form(self, path: str, parts: Sequence[Part], *, key: str) -> Result:
        """Send the parts of a form, files among them, under an idempotency key."""
        body, kind = multipart.encode(parts)
        headers = {"Content-Type": kind, "PayPal-Request-Id": key_of(key)}
        return await self._call("POST", path, body, headers)

    async def get(self, path: str) -> Result:
        """Read."""
        return await self._call("GET", path, None, {})

    async def _call(
        self, method: str, path: str, data: str | bytes | None, headers: Mapping[str, str]
    ) -> Result:
        token = await self._tokens.get()
        if isinstance(token, NoToken):
            return self._not_sent(token)
        result = await self._send(token, method, path, data, headers)
        if not isinstance(result, Response) or result.status != 401:
            return result
        another = await self._tokens.instead_of(token)
        if isinstance(another, NoToken):
            self._not_sent(another)
            return result
        return await self._send(another, method, path, data, headers)

    async def _send(
        self,
        token: AccessToken,
        method: str,
        path: str,
        data: str | bytes | None,
        headers: Mapping[str, str],
    ) -> Result:
        headers = {**headers, "Authorization": token.header}
        return _told(await self._http.request(method, path, data=data, headers=headers))

    def _not_sent(self, refusal: NoToken) -> NotSent:
        """Tell of a fetch that failed; who refuses our credentials needs a person."""
        is_refused = 400 <= refusal.status < 500 and refusal.status != 429
        tell = self._log.error if is_refused else self._log.warning
        tell("paypal_no_access_token", status=f"{refusal.status} {refusal.debug_id}".rstrip())
        return NotSent()


def key_of(key: str) -> str:
    """Fit a key into PayPal's 108 characters: a UUID of it, always the same.

    See `PayPal-Request-Id` of the published Orders v2, whose limit is the shortest.
    """
    return str(uuid5(NAMESPACE_URL, f"paymesh:{key}"))


def _told(result: http_client.Result) -> Result:
    if not isinstance(result, http_client.Response):
        return result
    return Response(result.status, result.body, debug_id(result), result.retry_after)
