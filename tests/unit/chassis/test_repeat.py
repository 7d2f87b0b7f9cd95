"""The loop of every job."""

import asyncio

from chassis.errors import Unavailable
from chassis.server import repeat


async def test_once_goes_on_until_it_has_succeeded() -> None:
    """What has to be done before a loop begins is tried until it is done, and then no more."""
    tries = 0

    async def work() -> bool:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise Unavailable("The database did not answer.")
        return False

    await repeat("test", work, asyncio.Event(), pause_s=0.001, once=True)

    assert tries == 3


async def test_once_gives_up_when_the_service_stops() -> None:
    """A service that stops does not wait for it."""
    stopping = asyncio.Event()

    async def work() -> bool:
        stopping.set()
        raise Unavailable("The database did not answer.")

    await asyncio.wait_for(repeat("test", work, stopping, pause_s=60.0, once=True), 60)

    assert stopping.is_set()
