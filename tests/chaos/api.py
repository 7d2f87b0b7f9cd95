"""The public API as a client that survives everything calls it, with a record of each call."""

import asyncio
import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.chaos.history.events import CREATE, GET, OK, REFUSED, UNKNOWN, Event

_CALL_S = 8.0
_PAUSE_S, _PAUSE_MAX_S = 0.05, 2.0
_TOO_MANY, _UNKNOWN_FROM = 429, 500
_MAYBE = (408, 499)  # timed out, or cancelled on the way as its service died: it may be stored


@dataclass(slots=True)
class Recorder:
    """All that clients saw, in the order of the answers."""

    events: list[Event] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)

    def note(self, event: Event) -> Event:
        """Keep an event, and count its HTTP status."""
        self.events.append(event)
        name = str(event.http or "no answer")
        self.statuses[name] = self.statuses.get(name, 0) + 1
        return event


@dataclass(frozen=True, slots=True)
class Told:
    """What came back: HTTP's status, 0 for none, and the body."""

    status: int = 0
    text: str = ""

    @property
    def body(self) -> dict[str, Any]:
        """The body as JSON; empty when it is none."""
        try:
            found = json.loads(self.text)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def reason(self) -> str:
        """The reason of a refusal; empty where none is told."""
        details = self.body.get("details") or [{}]
        return str(details[0].get("reason", ""))

    @property
    def outcome(self) -> str:
        """Ok, refused (certainly without effect), or unknown."""
        if self.status == 200 and self.body.get("payment_id"):
            return OK
        is_known = 400 <= self.status < _UNKNOWN_FROM and self.status not in _MAYBE
        return REFUSED if is_known else UNKNOWN


class Api:
    """Calls the edge. Use it as an async context manager."""

    def __init__(self, stack: Mapping[str, Any], recorder: Recorder) -> None:
        self._session = aiohttp.ClientSession(
            stack["edge"]["url"],
            headers={"Authorization": f"Bearer {stack['client']['api_key']}"},
            connector=aiohttp.TCPConnector(limit=0),
        )
        self.recorder = recorder

    async def __aenter__(self) -> "Api":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def write(
        self,
        operation: str,
        request: Mapping[str, Any],
        key: str,
        *,
        payment_id: str = "",
        timeout_s: float = _CALL_S,
        wait_s: int = 0,
    ) -> Event:
        """Write once: create a payment, or capture or cancel one; with `wait_s` the answer may come
        when it is final.
        """
        path = "/v1/payments" + (f"/{payment_id}/{operation}" if payment_id else "")
        invoked = time.monotonic()
        told = await self._ask("POST", path, timeout_s, json=request, key=key, wait_s=wait_s)
        asked = {order["payment_order_id"]: "" for order in request.get("payment_orders", ())}
        event = Event(
            operation,
            invoked,
            time.monotonic(),
            told.outcome,
            key=key,
            request=f"{payment_id} {json.dumps(request, sort_keys=True)}",
            answer=told.text if told.outcome == OK else "",
            http=told.status,
            reason=told.reason,
            payment_id=payment_id or str(told.body.get("payment_id", "")),
            status=str(told.body.get("status", "")),
            orders=_orders(told.body) or (asked if operation == CREATE else {}),
        )
        return self.recorder.note(event)

    async def write_until(
        self,
        operation: str,
        request: Mapping[str, Any],
        key: str,
        deadline: float,
        *,
        payment_id: str = "",
    ) -> Event:
        """Write under one key until it is answered or refused for good, or time is up."""
        pause_s = _PAUSE_S
        while True:
            event = await self.write(operation, request, key, payment_id=payment_id)
            final = event.outcome == OK or (event.outcome == REFUSED and not _may_pass(event))
            if final or time.monotonic() > deadline:
                return event
            await asyncio.sleep(pause_s * (0.5 + random.random()))
            pause_s = min(pause_s * 2, _PAUSE_MAX_S)

    async def read(self, payment_id: str) -> Event:
        """Read a payment once."""
        invoked = time.monotonic()
        told = await self._ask("GET", f"/v1/payments/{payment_id}", _CALL_S)
        event = Event(
            GET,
            invoked,
            time.monotonic(),
            told.outcome,
            http=told.status,
            reason=told.reason,
            payment_id=payment_id,
            status=str(told.body.get("status", "")),
            orders=_orders(told.body),
        )
        return self.recorder.note(event)

    async def whole(self, payment_id: str) -> dict[str, Any]:
        """Read all that is told of a payment, unrecorded; empty when nobody answers."""
        return (await self._ask("GET", f"/v1/payments/{payment_id}", _CALL_S)).body

    async def page(self, token: str) -> dict[str, Any]:
        """Read a page of the list of payments; empty when nobody answers."""
        query = {"page_size": "500", **({"page_token": token} if token else {})}
        return (await self._ask("GET", "/v1/payments", 30.0, params=query)).body

    async def _ask(
        self,
        verb: str,
        path: str,
        timeout_s: float,
        *,
        key: str = "",
        wait_s: int = 0,
        **extra: Any,
    ) -> Told:
        headers = {"Idempotency-Key": key} if key else {}
        if wait_s:
            headers["Prefer"] = f"wait={wait_s}"
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with self._session.request(
                verb, path, headers=headers, timeout=timeout, **extra
            ) as response:
                return Told(response.status, await response.text())
        except (aiohttp.ClientError, TimeoutError, OSError):
            return Told()


def _may_pass(event: Event) -> bool:
    """Tell whether a refusal may be another answer later: a limit was reached."""
    return event.http == _TOO_MANY


def _orders(body: Mapping[str, Any]) -> dict[str, str]:
    orders = body.get("payment_orders") or []
    return {str(order["payment_order_id"]): str(order["status"]) for order in orders}
