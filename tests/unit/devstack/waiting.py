"""Waits for a condition, with a deadline."""

import asyncio
from collections.abc import Callable

DEADLINE_S = 60


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds.

    Raises:
        TimeoutError: it does not within 60 seconds.
    """
    async with asyncio.timeout(DEADLINE_S):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)
