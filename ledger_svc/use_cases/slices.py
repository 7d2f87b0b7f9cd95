"""Goes through many things without keeping others waiting: between slices they have their turn."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from heapq import merge
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")

SLICE = 1_000
_RUN = 5_000


async def slices(items: Iterable[Item], size: int = SLICE) -> AsyncIterator[list[Item]]:
    """Hand out items in lists of `size` at most."""
    left = iter(items)
    while piece := list(islice(left, size)):
        yield piece
        await asyncio.sleep(0)


async def in_order(names: Iterable[str]) -> AsyncIterator[list[str]]:
    """Hand out names in lists, in their order; sorting a million at once would take a second."""
    runs = [sorted(piece) async for piece in slices(names, _RUN)]
    async for piece in slices(merge(*runs)):
        yield piece
