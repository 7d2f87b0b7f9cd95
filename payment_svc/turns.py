"""Lets work of many small parts give way: so many parts in a round of the event loop, no more."""

import asyncio
from collections import deque


class Turns:
    """Hands out turns, in the order of asking, `at_once` in each round of the event loop.

    What many wait for comes to all of them at once; without turns they would go on in one round,
    and a request that comes meanwhile would wait for all of them at each of its own steps.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._left = at_once
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_ticking = False

    async def take(self) -> None:
        """Wait for one's turn; at once while this round has some left."""
        loop = asyncio.get_running_loop()
        if not self._is_ticking:
            self._is_ticking = True
            loop.call_soon(self._next_round, loop)
        if self._left > 0 and not self._waiting:
            self._left -= 1
            return
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _next_round(self, loop: asyncio.AbstractEventLoop) -> None:
        self._left = self._at_once
        while self._waiting and self._left > 0:
            turn = self._waiting.popleft()
            if not turn.done():  # who waited may have been cancelled
                turn.set_result(None)
                self._left -= 1
        self._is_ticking = bool(self._waiting) or self._left < self._at_once
        if self._is_ticking:
            loop.call_soon(self._next_round, loop)
