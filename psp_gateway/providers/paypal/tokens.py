"""PayPal's access tokens: fetched once for all who wait, kept until shortly before they end."""

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from urllib.parse import quote

from psp_gateway.http_client import HttpClient, NoAnswer, NotSent, Response, Result

PATH = "/v1/oauth2/token"
KEPT_UNTIL_S = 60.0  # before its end, so that none ends on its way

_LIFETIME_MAX_S = 10**7
_LENGTH_MAX = 8192


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A bearer token, and until when of the clock it is used."""

    text: str = field(repr=False)
    until: float

    @property
    def header(self) -> str:
        """The value of the Authorization header."""
        return f"Bearer {self.text}"


@dataclass(frozen=True, slots=True)
class NoToken:
    """No token was given.

    Attributes:
        status: PayPal's answer; 0 when there was none.
        debug_id: PayPal's own id of the exchange.
    """

    status: int = 0
    debug_id: str = ""


Fetched = AccessToken | NoToken


class AccessTokens:
    """The tokens of one PayPal application, by OAuth2 client credentials.

    See https://developer.paypal.com/api/rest/authentication/.

    Args:
        http: where they are fetched; opened and closed by its owner.
        client_id: of the application.
        client_secret: goes into the header of the fetch and nowhere else.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        http: HttpClient,
        client_id: str,
        client_secret: str,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._http = http
        self._headers = {
            "Authorization": _basic(client_id, client_secret),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        self._clock = clock
        self._kept: AccessToken | None = None
        self._fetch: asyncio.Task[Fetched] | None = None

    async def get(self) -> Fetched:
        """Answer the kept token, or fetch one together with all who ask meanwhile."""
        if self._kept is not None and self._clock() < self._kept.until:
            return self._kept
        if self._fetch is None:
            self._fetch = asyncio.create_task(self._fetch_anew(), name="paypal access token")
            self._fetch.add_done_callback(self._fetched)
        # A caller that goes away must not take the fetch from the others.
        return await asyncio.shield(self._fetch)

    async def instead_of(self, refused: AccessToken) -> Fetched:
        """Answer another token than one that PayPal refused."""
        if self._kept is refused:
            self._kept = None
        return await self.get()

    async def close(self) -> None:
        """Await the end of a fetch that is under way; with the session closed it comes soon."""
        if self._fetch is not None:
            await asyncio.wait([self._fetch])

    async def _fetch_anew(self) -> Fetched:
        asked_at = self._clock()
        form = "grant_type=client_credentials"
        result = await self._http.request("POST", PATH, data=form, headers=self._headers)
        fetched = _read(result, asked_at)
        if isinstance(fetched, AccessToken):
            self._kept = fetched
        return fetched

    def _fetched(self, _: asyncio.Task[Fetched]) -> None:
        self._fetch = None


def _read(result: Result, asked_at: float) -> Fetched:
    if isinstance(result, NotSent | NoAnswer):
        return NoToken()
    body = result.body or {}
    text, lifetime = body.get("access_token"), body.get("expires_in")
    is_bearer = str(body.get("token_type")).lower() == "bearer"
    is_usable = result.status == 200 and is_bearer and _is_token(text) and _is_lifetime(lifetime)
    if not is_usable or not isinstance(text, str) or not isinstance(lifetime, int):
        return NoToken(result.status, debug_id(result))
    return AccessToken(text, asked_at + lifetime - KEPT_UNTIL_S)


def debug_id(response: Response) -> str:
    """Read PayPal's own id of an exchange."""
    return response.header("PayPal-Debug-Id")


def _is_token(text: object) -> bool:
    """Whether it can stand in a header: visible ASCII, and of a sane length."""
    if not isinstance(text, str) or not 0 < len(text) <= _LENGTH_MAX:
        return False
    return all("!" <= letter <= "~" for letter in text)


def _is_lifetime(seconds: object) -> bool:
    return type(seconds) is int and 0 < seconds <= _LIFETIME_MAX_S


def _basic(client_id: str, client_secret: str) -> str:
    """Write the header of RFC 6749, section 2.3.1: both parts are form-encoded first."""
    pair = f"{quote(client_id, safe='')}:{quote(client_secret, safe='')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
