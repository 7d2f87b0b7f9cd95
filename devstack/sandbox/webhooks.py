"""Sends what the PSPs have to tell, signed as each of them signs; late, twice or in disorder when a
test wants it so.
"""

import asyncio
import copy
import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol
from uuid import uuid4

import aiohttp

from devstack.sandbox.jsonwire.messages import Event
from devstack.sandbox.paypal.identity import CERTIFICATE_PATH
from devstack.sandbox.signing import (
    PayPalIdentity,
    adyen_body_signature,
    adyen_signature,
    paypal_headers,
    stripe_signature,
)
from devstack.sandbox.world import World

_LOOK_EVERY_S = 0.05
_TIMEOUT_S = 10.0
_AT_ONCE = 16
# Real PSPs go on for days, ever more seldom; who waits here is a test.
_PAUSES_S = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, *[20.0] * 30)

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode

Signed = tuple[bytes, Mapping[str, str]]
Sign = Callable[[Event, float], Signed]


class Source(Protocol):
    """A face that has something to tell."""

    psp: str

    def drain_events(self) -> list[Event]:
        """Hand over what has come about since the last time."""


@dataclass(slots=True)
class Postman:
    """Sends events to `url/<psp>`, each until it is answered 2xx, for some minutes.

    Args:
        url: where webhooks go; empty for nowhere.
        signs: how each PSP signs; one that is not named tells nothing.
        chance: decides which are lost and in which disorder they go; seeded.
    """

    world: World
    sources: Sequence[Source]
    url: str
    signs: Mapping[str, Sign]
    chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311
    _held: list[Event] = field(default_factory=list)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def run(self) -> None:
        """Look for events and send them until the sandbox stops."""
        async with aiohttp.ClientSession() as session:
            while not self.world.stopping.is_set():
                await self.world.pause(_LOOK_EVERY_S)
                await self._collect()
                for event in self._released():
                    task = asyncio.create_task(self._send(session, event))
                    self._tasks.add(task)
                    task.add_done_callback(self._ended)
                self._count()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _collect(self) -> None:
        for source in self.sources:
            if source.psp in self.signs:
                self._held += source.drain_events()
        # What was taken must not come again after a crash, nor be told before it is true.
        await self.world.record.durable()

    def _released(self) -> list[Event]:
        switches, counts = self.world.webhooks, self.world.webhook_counts
        if switches.hold or self.world.dark:
            return []
        held, self._held = self._held, []
        kept = [event for event in held if self.chance.random() >= switches.lose]
        events = kept * switches.copies
        counts.lost += len(held) - (len(kept) if switches.copies else 0)
        if switches.shuffle:
            self.chance.shuffle(events)
        return events

    async def _send(self, session: aiohttp.ClientSession, event: Event) -> None:
        for pause in _PAUSES_S:
            await self.world.pause(pause + self.world.webhooks.delay_ms / 1000)
            while self.world.dark and not self.world.stopping.is_set():
                await self.world.pause(
                    _LOOK_EVERY_S
                )  # a PSP that is down does not try again either
            if self.world.stopping.is_set():
                return
            async with self._turns:
                if await self._try(session, event):
                    self.world.webhook_counts.sent += 1
                    return

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._count()

    def _count(self) -> None:
        self.world.webhook_counts.waiting = len(self._held) + len(self._tasks)

    async def _try(self, session: aiohttp.ClientSession, event: Event) -> bool:
        # Signed anew each time: a signature has a time in it, and it is the receiver's that counts.
        body, headers = self.signs[event.psp](event, time.time())
        try:
            async with session.post(
                f"{self.url}/{event.psp}",
                data=body,
                headers={"Content-Type": "application/json", **headers},
                timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
            ) as response:
                await response.read()
                return response.status < 300
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False


def stripe_sign(secret: str) -> Sign:
    """Sign as Stripe does, over the raw bytes and the time."""

    def sign(event: Event, now: float) -> Signed:
        body = _encode(event.body).encode()
        at = datetime.fromtimestamp(now, UTC)
        return body, {"Stripe-Signature": stripe_signature(secret, body, at)}

    return sign


def adyen_sign(key: str) -> Sign:
    """Sign as Adyen does: each item of a notification; a body without items, as of transfers, in a
    header over the raw bytes.
    """

    def sign(event: Event, now: float) -> Signed:
        body = copy.deepcopy(event.body)
        for wrapped in body.get("notificationItems", ()):
            item = wrapped["NotificationRequestItem"]
            item.setdefault("additionalData", {})["hmacSignature"] = adyen_signature(key, item)
        raw = _encode(body).encode()
        if "notificationItems" in body:
            return raw, {}
        return raw, {"HmacSignature": adyen_body_signature(key, raw)}

    return sign


def paypal_sign(identity: PayPalIdentity, webhook_id: str, world: World) -> Sign:
    """Sign as PayPal does: each transmission has an id and a time of its own, and names where the
    certificate is.
    """

    def sign(event: Event, now: float) -> Signed:
        body = _encode(event.body).encode()
        return body, paypal_headers(
            identity.key,
            webhook_id=webhook_id,
            certificate_url=world.base_url + CERTIFICATE_PATH,
            transmission_id=str(uuid4()),
            body=body,
            at=datetime.fromtimestamp(now, UTC),
        )

    return sign
