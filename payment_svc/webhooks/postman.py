"""Posts events to endpoints over HTTP, and only to where the rules let it.

A name is resolved here, each of its addresses is checked, and the connection is made to one of
those: a name that leads elsewhere a moment later (DNS rebinding) leads nowhere.
"""

import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from chassis.clock import Clock
from chassis.errors import InvalidRequest
from payment_svc.domain import webhook_secret
from payment_svc.domain.errors import WebhookSecretMissing
from payment_svc.domain.webhook_delivery import Attempt, AttemptFailure, Delivery
from payment_svc.domain.webhook_secret import SecretKeys
from payment_svc.domain.webhook_url import TargetRules, WebhookUrl

_ANSWER_BYTES_MAX = 16_384  # read so that the connection can be used again; never looked at
_HEADER_BYTES_MAX = 8_190
_KEEP_ALIVE_S = 3.0  # shorter than servers keep them: a closed one would cost a try
_HEADERS = {"Content-Type": "application/json", "User-Agent": "paymesh-webhooks/1"}

Lookup = Callable[[str, int, socket.AddressFamily], Awaitable[Sequence[ResolveResult]]]


class AddressRefused(OSError):
    """A name leads to an address that nothing is sent to."""


class CheckedResolver(AbstractResolver):
    """Resolves names for aiohttp and answers only when every address is admitted.

    Args:
        lookup: asks the system's resolver.
    """

    def __init__(self, rules: TargetRules, lookup: Lookup | None = None) -> None:
        self._rules = rules
        self._lookup = lookup or aiohttp.ThreadedResolver().resolve

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve a name.

        Raises:
            AddressRefused: one of its addresses is not admitted.
            OSError: the name is not known.
        """
        found = list(await self._lookup(host, port, family))
        if not self._rules.admits_all([result["host"] for result in found]):
            raise AddressRefused("the name leads to an address that is not a public one")
        return found

    async def close(self) -> None:
        """Nothing is held."""


class HttpPostman:
    """`ports.Postman` over HTTP. Use it as an async context manager.

    Args:
        timeout_s: for one attempt in all.
        connections_max: at once, to all endpoints.
    """

    def __init__(
        self,
        rules: TargetRules,
        keys: SecretKeys,
        *,
        clock: Clock,
        timeout_s: float,
        connections_max: int,
        lookup: Lookup | None = None,
    ) -> None:
        self._rules = rules
        self._keys = keys
        self._clock = clock
        connector = aiohttp.TCPConnector(
            resolver=CheckedResolver(rules, lookup),
            use_dns_cache=False,
            limit=connections_max,
            keepalive_timeout=_KEEP_ALIVE_S,
        )
        # No proxy from the environment and no cookies: nothing but the request itself goes out.
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers=_HEADERS,
            trust_env=False,
            max_line_size=_HEADER_BYTES_MAX,
            max_field_size=_HEADER_BYTES_MAX,
        )

    async def __aenter__(self) -> "HttpPostman":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def post(self, delivery: Delivery) -> Attempt:
        """See `ports.Postman.post`."""
        started_at = self._clock()
        status: int | None = None
        failure: AttemptFailure | None = None
        try:
            status = await self._send(delivery)
        except (aiohttp.ClientError, OSError, InvalidRequest, WebhookSecretMissing) as error:
            failure = classify(error)
        duration = max(self._clock() - started_at, timedelta())
        return Attempt(started_at, duration, status, failure)

    async def _send(self, delivery: Delivery) -> int:
        url = _exact(self._rules.read(delivery.url))
        secrets = [self._keys.secret(delivery.endpoint_id, name) for name in delivery.secrets]
        body = delivery.event.body()
        timestamp = int(self._clock().timestamp())
        headers = webhook_secret.headers(secrets, delivery.event.event_id, timestamp, body)
        async with self._session.post(
            url, data=body, headers=headers, allow_redirects=False
        ) as response:
            # The status decides; what comes after it may as well not come.
            with suppress(aiohttp.ClientError, TimeoutError, EOFError):
                await response.content.readexactly(_ANSWER_BYTES_MAX)
            return response.status


def _exact(read: WebhookUrl) -> URL:
    """Hand a URL on as it was read; both readers must see the same host."""
    url = URL(read.text, encoded=True)
    if (url.raw_host or "").lower() != read.host or url.port != read.port:
        raise InvalidRequest.field("url", "can be read in two ways")
    return url


def classify(error: Exception) -> AttemptFailure:
    """Name what went wrong in a stable word; what the error says may hold what others wrote."""
    causes = _chain(error)
    for kinds, failure in _FAILURES:
        if any(isinstance(cause, kinds) for cause in causes):
            return failure
    return AttemptFailure.CONNECTION


_FAILURES: Sequence[tuple[Any, AttemptFailure]] = (
    (WebhookSecretMissing, AttemptFailure.SECRET_MISSING),
    ((AddressRefused, InvalidRequest), AttemptFailure.ADDRESS_REFUSED),
    (TimeoutError, AttemptFailure.TIMEOUT),
    ((aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError), AttemptFailure.TLS),
    ((aiohttp.ClientConnectorDNSError, socket.gaierror), AttemptFailure.NAME_NOT_FOUND),
    ((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError), AttemptFailure.CONNECTION),
    ((aiohttp.ClientResponseError, aiohttp.ClientPayloadError), AttemptFailure.PROTOCOL),
)


def _chain(error: BaseException | None) -> list[BaseException]:
    """List an error and what caused it."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        inner = getattr(error, "os_error", None)
        error = inner if isinstance(inner, BaseException) else error.__cause__
    return chain
