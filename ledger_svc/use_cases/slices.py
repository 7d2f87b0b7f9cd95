"""Goes through many things without keeping others waiting: between slices they have their turns."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from heapq import merge
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")

SLICE = 250
TURNS = 4


async def rest() -> None:
    """Let others have some turns.

    A call takes a dozen, and gRPC lets one in per turn or two: with one turn per slice the slices
    would be all that happens.
    """
    for _ in range(TURNS):
        await asyncio.sleep(0)


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
