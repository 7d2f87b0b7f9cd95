"""PayPal's certificates, fetched from where its webhooks say and kept.

A webhook names the address before anybody knows that PayPal sent it: only addresses on PayPal's own
origins come here (`signature` sees to that), no redirect leads away from them, and strangers cannot
make this gateway ask for more than a few a minute.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable

import aiohttp

from chassis.errors import Unavailable
from psp_gateway.domain.errors import BadSignature

_KEPT_MAX = 16
_BYTES_MAX = 64 * 1024
_FETCHES_MAX, _IN_S = 30, 60.0


class Certificates:
    """Keeps certificates by their address, in memory; the least used goes first.

    Args:
        timeout_s: for one request in all.
        clock_s: a clock that never goes back, in seconds.
    """

    def __init__(
        self, timeout_s: float = 5.0, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._clock_s = clock_s
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._fetched_at: deque[float] = deque(maxlen=_FETCHES_MAX)
        self._turn = asyncio.Lock()

    def get(self, url: str) -> bytes | None:
        """Give a certificate in PEM; None when it is not at hand."""
        if url in self._kept:
            self._kept.move_to_end(url)
        return self._kept.get(url)

    async def fetch(self, url: str) -> None:
        """See `ports.CertificateSource.fetch`; one at a time."""
        async with self._turn:
            if url in self._kept:
                return
            self._kept[url] = await self._ask(url)
            if len(self._kept) > _KEPT_MAX:
                self._kept.popitem(last=False)

    async def _ask(self, url: str) -> bytes:
        now = self._clock_s()
        if len(self._fetched_at) == _FETCHES_MAX and now - self._fetched_at[0] < _IN_S:
            raise Unavailable("Too many certificates are asked for; send it again later.")
        self._fetched_at.append(now)
        try:
            async with (
                aiohttp.ClientSession(timeout=self._timeout) as session,
                session.get(url, allow_redirects=False) as response,
            ):
                pem = await response.content.read(_BYTES_MAX)
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable("PayPal's certificate cannot be had now.") from error
        if status >= 500:
            raise Unavailable("PayPal's certificate cannot be had now.")
        if status != 200 or b"-----BEGIN CERTIFICATE-----" not in pem:
            raise BadSignature("There is no certificate at the address.")
        return pem
