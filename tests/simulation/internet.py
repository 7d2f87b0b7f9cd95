"""Between the gateway and the PSPs: the gateway's Stripe client over a faulty internet, and
webhooks the other way.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from chassis.errors import PaymeshError
from psp_gateway.http_client import NoAnswer, NotSent
from psp_gateway.providers.stripe.client import Response, Result
from tests.simulation.chance import Chance
from tests.simulation.clockwork import SimulatedLoop
from tests.simulation.network import Network
from tests.simulation.psp import Object, Psp, Told

SECRET = "whsec_simulated"  # pragma: allowlist secret
_LATENCY_S = (0.02, 0.2)
_LATE_S = (16.0, 120.0)
_CONNECT_S = 2.0
_TIMEOUT_S = 15.0
_WEBHOOK_LATE_S = (60.0, 6 * 3600.0)
_WEBHOOK_TRIES = 6


class Client:
    """Stands in for `StripeClient` in one process of the gateway."""

    def __init__(self, loop: SimulatedLoop, chance: Chance, psp: Psp) -> None:
        self._loop = loop
        self._chance = chance
        self._psp = psp

    async def post(self, path: str, fields: Mapping[str, object], *, key: str) -> Result:
        """See `StripeClient.post`."""
        return await self._exchange(lambda: self._psp.post(path, fields, key))

    async def get(self, path: str, fields: Mapping[str, object] | None = None) -> Result:
        """See `StripeClient.get`."""
        return await self._exchange(lambda: self._psp.get(path, fields or {}))

    async def _exchange(self, ask: Any) -> Result:
        chance, reply = self._chance, self._loop.create_future()
        if chance.strikes_now("psp_unreachable"):
            self._loop.later(_CONNECT_S, _settle, reply, NotSent())
            return await reply
        deadline = self._loop.later(_TIMEOUT_S, _settle, reply, NoAnswer())
        if not chance.strikes_now("psp_request_lost"):
            delay = chance.between(*_LATENCY_S)
            if chance.strikes_now("psp_request_late"):
                delay += chance.between(*_LATE_S)
            self._loop.later(delay, self._arrive, ask, reply)
        try:
            return await reply
        finally:
            deadline.cancel()

    def _arrive(self, ask: Any, reply: Any) -> None:
        told: Told = ask()
        if self._psp.is_dark or self._chance.strikes_now("psp_answer_lost"):
            return
        body = None if self._chance.strikes_now("psp_malformed") else told.body
        response = Response(told.status, body, "req_1", told.is_replay, None)
        self._loop.later(self._chance.between(*_LATENCY_S), _settle, reply, response)


def _settle(reply: Any, result: Result) -> None:
    if not reply.done():
        reply.set_result(result)


class Postman:
    """Brings a PSP's webhooks to the gateway: signed, late, twice, in any order, or never."""

    def __init__(self, loop: SimulatedLoop, chance: Chance, network: Network) -> None:
        self._loop = loop
        self._chance = chance
        self._network = network
        self.psps: dict[str, Psp] = {}

    def send(self, psp: str, event: Object) -> None:
        """Send an event some time."""
        if self._chance.strikes_now("webhook_lost"):
            return
        for _ in range(2 if self._chance.strikes_now("webhook_twice") else 1):
            delay = self._chance.between(0.01, 3.0)
            if self._chance.strikes_now("webhook_late"):
                delay += self._chance.between(*_WEBHOOK_LATE_S)
            self._loop.later(delay, self._begin, psp, event, 0)

    def _begin(self, psp: str, event: Object, tries: int) -> None:
        dark_for = self.psps[psp].dark_until - self._loop.time()
        if dark_for > 0:
            self._loop.later(
                dark_for + self._chance.between(1.0, 600.0), self._begin, psp, event, tries
            )
        else:
            self._loop.create_task(self._deliver(psp, event, tries))

    async def _deliver(self, psp: str, event: Object, tries: int) -> None:
        body, at = json.dumps(event).encode(), int(self._loop.now().timestamp())
        signed = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        headers = (("Stripe-Signature", f"t={at},v1={signed}"),)
        try:
            await self._network.call("psp", "take_webhook", (psp, headers, body), 10.0, psp)
        except PaymeshError:
            if tries < _WEBHOOK_TRIES:
                self._loop.later(60.0 * 2**tries, self._begin, psp, event, tries + 1)
