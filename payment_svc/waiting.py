"""Callers that wait for a payment to be final: woken in this process, and looking by themselves in
case another instance moved it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable

from payment_svc.domain.payment import Payment
from payment_svc.domain.statuses import SETTLED
from payment_svc.sagas.engine import Move

_LOOK_EVERY_S = 0.5


class Waiters:
    """Who waits for which payment."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)

    def moved(self, move: Move) -> None:
        """Wake those who wait for a payment that needs no more waiting."""
        payment = move.after.payment
        if payment.status in SETTLED:
            for event in self._waiting.get(payment.payment_id, ()):
                event.set()

    async def settled(
        self, payment_id: str, read: Callable[[], Awaitable[Payment]], timeout_s: float
    ) -> Payment:
        """Read the payment once it is settled, or after `timeout_s` as it is by then."""
        event = asyncio.Event()
        self._waiting[payment_id].add(event)
        deadline = asyncio.get_running_loop().time() + timeout_s
        try:
            while True:
                payment = await read()
                left = deadline - asyncio.get_running_loop().time()
                if payment.status in SETTLED or left <= 0:
                    return payment
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
