"""Callers that wait for a payment to move: woken in this process, and looking by themselves in
case another instance moved it.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from payment_svc.domain.payment import Payment
from payment_svc.domain.statuses import FINAL, SETTLED

_LOOK_EVERY_S = 0.5

Read = Callable[[], Awaitable[Payment]]


class Waiters:
    """Who waits for which payment."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)

    @property
    def count(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))

    def moved(self, payment: Payment) -> None:
        """Wake those who wait for a payment that has taken another status."""
        for event in self._waiting.get(payment.payment_id, ()):
            event.set()

    async def settled(
        self, payment_id: str, read: Read, timeout_s: float, *, after: int = 0
    ) -> Payment:
        """Read the payment once it is settled in a version after `after`, or when `timeout_s` is
        over, as it is by then.
        """
        states = self.states(payment_id, read, timeout_s)
        async with aclosing(states):
            async for payment in states:
                if payment.status in SETTLED and payment.version > after:
                    return payment
        return payment

    async def states(
        self, payment_id: str, read: Read, timeout_s: float
    ) -> AsyncGenerator[Payment, None]:
        """Read the payment, and again after each change, until it is final or `timeout_s` is over.

        The last state is told twice when time is up.
        """
        event = asyncio.Event()
        self._waiting[payment_id].add(event)
        deadline = asyncio.get_running_loop().time() + timeout_s
        version = 0
        try:
            while True:
                event.clear()
                payment = await read()
                left = deadline - asyncio.get_running_loop().time()
                if payment.version > version or left <= 0:
                    yield payment
                version = payment.version
                if payment.status in FINAL or left <= 0:
                    return
                await _wait(event, min(left, _LOOK_EVERY_S))
        finally:
            self._waiting[payment_id].discard(event)
            if not self._waiting[payment_id]:
                del self._waiting[payment_id]


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
