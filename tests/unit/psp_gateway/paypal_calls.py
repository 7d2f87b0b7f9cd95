"""PayPal's provider at a server that answers call by call, and what it sent."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from psp_gateway.domain.answer import Answer, Verdict
from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.reasons import Reason
from psp_gateway.providers.paypal.provider import PayPalProvider
from tests.unit.psp_gateway.paypal import calls_of, error, opened, script_of
from tests.unit.psp_gateway.wire import Request, Wire, patience_s, scripted
from tests.unit.psp_gateway.wire import answer as written

ORDER = "/v2/checkout/orders/5O1"
PAGE = "https://pay.example/5O1"
NO_BODY = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
SERVER_ERROR = written(error("INTERNAL_SERVER_ERROR"), status=500)
GONE = written(error("RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID"), status=404)

Ask = Callable[[PayPalProvider], Any]


@dataclass
class PayPal:
    """The provider, and what it sent."""

    provider: PayPalProvider
    wire: Wire

    @property
    def lines(self) -> list[str]:
        """List the calls but for the fetches of tokens: "GET /v2/…"."""
        return [request.line.removesuffix(" HTTP/1.1") for request in calls_of(self.wire)]

    @property
    def last(self) -> Request:
        """The last call."""
        return calls_of(self.wire)[-1]

    @property
    def body(self) -> Any:
        """The body of the last call."""
        return json.loads(self.last.body)


@asynccontextmanager
async def answering(*answers: bytes, **urls: str) -> AsyncIterator[PayPal]:
    """Answer the calls one after the other, and hang up on more."""
    said = iter(answers)
    async with (
        scripted(script_of(lambda _: next(said, b""))) as wire,
        opened(wire.url, timeout_s=patience_s(*answers)) as client,
    ):
        yield PayPal(PayPalProvider(client, **urls), wire)


def good(body: Any, status: int = 201) -> bytes:
    """Write an answer."""
    return written(body, status=status)


def outcome(answer: Answer) -> tuple[Outcome, Reason | None]:
    """Name what a verdict says."""
    assert isinstance(answer, Verdict)
    return answer.outcome, answer.reason
