"""Tells how many turns others had."""

import asyncio


class Turns:
    """Counts how often somebody else has a turn."""

    def __init__(self) -> None:
        self.count = 0

    async def __aenter__(self) -> "Turns":
        self._task = asyncio.create_task(self._take())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _take(self) -> None:
        while True:
            await asyncio.sleep(0)
            self.count += 1
