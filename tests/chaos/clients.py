"""Concurrent clients: each makes one payment after the other, in all the ways that real ones do."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from tests.chaos import shop
from tests.chaos.api import Api
from tests.chaos.history.events import CANCEL, CAPTURE, CREATE, OK, Event
from tests.chaos.history.moves import TERMINAL

_PATIENCE_S = 20.0  # with one write
_WATCH_S = 12.0  # of one payment; what is open then is read again at the end
_POLL_S, _POLL_MAX_S = 0.25, 1.5

Journey = Callable[["Client", str], Awaitable[None]]


class Client:
    """One client. `made` counts its journeys by name."""

    def __init__(self, number: int, seed: int, api: Api, made: "Counter[str]") -> None:
        self._number = number
        self._chance = Random(f"client {seed} {number}")
        self._api = api
        self._made = made
        self.count = 0

    async def shop(self, closing: asyncio.Event, turn: Callable[[], Awaitable[None]]) -> None:
        """Make payments until closing time; each awaits its turn first."""
        names = list(_JOURNEYS)
        weights = [weight for _, weight in _JOURNEYS.values()]
        while not closing.is_set():
            await turn()
            self.count += 1
            (name,) = self._chance.choices(names, weights)
            self._made[name] += 1
            await _JOURNEYS[name][0](self, f"c{self._number}-{self.count}")

    async def plain(self, name: str) -> None:
        """Pay, and look until it is final."""
        await self._watch(await self._pay(self._request(name), name))

    async def double_click(self, name: str) -> None:
        """Send the same twice at once."""
        request = self._request(name)
        first, second = await asyncio.gather(self._pay(request, name), self._pay(request, name))
        await self._watch(first if first.outcome == OK else second)

    async def impatient(self, name: str) -> None:
        """Give up on the first answer after a moment, and ask again under the same key."""
        request = self._request(name)
        await self._api.write(CREATE, request, name, timeout_s=self._chance.uniform(0.002, 0.05))
        await self._watch(await self._pay(request, name))

    async def replay(self, name: str) -> None:
        """Ask again under the same key when all is long over."""
        request = self._request(name)
        event = await self._pay(request, name)
        await self._watch(event)
        await self._pay(request, name)

    async def reuse(self, name: str) -> None:
        """Use a key again for something else."""
        request = self._request(name)
        event = await self._pay(request, name)
        await self._pay(shop.another_body(request), name)
        await self._watch(event)

    async def capture(self, name: str) -> None:
        """Hold, then take all or a part."""
        event = await self._hold(name)
        if event is None:
            return
        amount = {} if self._chance.random() < 0.6 or len(event.orders) > 1 else {"amount": "0.50"}
        await self._end_hold(event, CAPTURE, amount, f"{name}-capture")

    async def cancel(self, name: str) -> None:
        """Hold, then let go."""
        event = await self._hold(name)
        if event is not None:
            await self._end_hold(event, CANCEL, {}, f"{name}-cancel")

    async def capture_and_cancel(self, name: str) -> None:
        """Hold, then take and let go at once: one of them wins."""
        event = await self._hold(name)
        if event is not None:
            await asyncio.gather(
                self._end_hold(event, CAPTURE, {}, f"{name}-capture"),
                self._end_hold(event, CANCEL, {}, f"{name}-cancel"),
            )

    def _request(self, name: str) -> dict[str, Any]:
        return shop.payment(self._chance, name)

    async def _pay(self, request: dict[str, Any], key: str) -> Event:
        deadline = time.monotonic() + _PATIENCE_S
        return await self._api.write_until(CREATE, request, key, deadline)

    async def _hold(self, name: str) -> Event | None:
        event = await self._pay(shop.payment(self._chance, name, manual=True), name)
        await self._watch(event, until=TERMINAL | {"REQUIRES_CAPTURE"})
        return event if event.outcome == OK else None

    async def _end_hold(self, held: Event, verb: str, body: dict[str, Any], key: str) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        await self._api.write_until(verb, body, key, deadline, payment_id=held.payment_id)
        await self._watch(held)

    async def _watch(self, event: Event, until: frozenset[str] = TERMINAL) -> None:
        """Look until it is final, more seldom each time, but not for ever."""
        deadline, pause_s = time.monotonic() + _WATCH_S, _POLL_S
        while event.payment_id and time.monotonic() < deadline:
            seen = await self._api.read(event.payment_id)
            if seen.status in until:
                return
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.8, _POLL_MAX_S)


_JOURNEYS: dict[str, tuple[Journey, int]] = {
    "plain": (Client.plain, 44),
    "double click": (Client.double_click, 10),
    "impatient": (Client.impatient, 10),
    "replay": (Client.replay, 10),
    "key for another body": (Client.reuse, 8),
    "capture": (Client.capture, 9),
    "cancel": (Client.cancel, 5),
    "capture and cancel at once": (Client.capture_and_cancel, 4),
}


class Pace:
    """Lets at most so many journeys begin in a second, in all; with `makes_up`, what was missed is
    made up for.
    """

    def __init__(self, per_s: float, *, makes_up: bool = False) -> None:
        self._gap_s = 1.0 / per_s
        self._makes_up = makes_up
        self._next = time.monotonic()

    async def turn(self) -> None:
        """Wait for one's turn. What was not used is gone: a pause is not followed by a burst."""
        now = time.monotonic()
        due = self._next + self._gap_s
        self._next = due if self._makes_up else max(due, now)
        await asyncio.sleep(max(self._next - now, 0.0))
