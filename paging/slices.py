"""Goes through many things without keeping others waiting: between slices they have their turns."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from heapq import merge
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")

SLICE = 250
TURNS, TURNS_MAX = 4, 24
_IDLE_S = 0.000_1


async def rest(clock: Callable[[], float] = time.perf_counter) -> None:
    """Let others have some turns, and more for as long as they need them, 24 at most.

    A call takes a dozen turns, and gRPC lets one in per turn or two: with one turn per slice the
    slices would be all that happens. A turn that takes less than a tenth of a millisecond is one
    that nobody needed. What goes through much so takes what the processor has left, but never less
    than a small part.

    Args:
        clock: seconds, of any beginning.
    """
    for turn in range(1, TURNS_MAX + 1):
        began = clock()
        await asyncio.sleep(0)
        if turn >= TURNS and clock() - began < _IDLE_S:
            return


async def slices(items: Iterable[Item], size: int = SLICE) -> AsyncIterator[list[Item]]:
    """Hand out items in lists of `size` at most."""
    left = iter(items)
    while piece := list(islice(left, size)):
        yield piece
        await rest()


async def in_order(names: Iterable[str]) -> AsyncIterator[list[str]]:
    """Hand out names in lists, in their order; sorting a million at once would take a second."""
    runs = [sorted(piece) async for piece in slices(names, 4 * SLICE)]
    async for piece in slices(merge(*runs)):
        yield piece
