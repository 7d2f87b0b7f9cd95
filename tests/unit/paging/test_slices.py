"""Who goes through much leaves turns to others, more for as long as they use them."""

import asyncio
import itertools

import pytest

from paging.slices import SLICE, TURNS, TURNS_MAX, in_order, rest, slices
from tests.unit.paging.turns import Turns


@pytest.mark.parametrize(
    ("turn_s", "turns"), [(0.000_05, TURNS), (0.001, TURNS_MAX), (0.000_15, TURNS_MAX)]
)
async def test_who_is_busy_has_more_turns(turn_s: float, turns: int) -> None:
    """For as long as turns are used, and up to a bound; a few in any case."""
    told = itertools.count()
    async with Turns() as others:
        await asyncio.sleep(0)
        before = others.count
        await rest(lambda: next(told) * turn_s)

        assert others.count - before == turns


async def test_who_was_busy_is_waited_for_no_longer() -> None:
    """The first turn that nobody used ends it."""
    times = itertools.accumulate(itertools.chain([0.001] * 12, itertools.repeat(0.0)))
    async with Turns() as others:
        await asyncio.sleep(0)
        before = others.count
        await rest(lambda: next(times))

        assert TURNS < others.count - before < TURNS_MAX


async def test_others_have_their_turn_while_names_are_sorted() -> None:
    """And the names come in their order, each once."""
    names = [f"{number * 7919 % 20_011:05}" for number in range(20_000)]
    async with Turns() as turns:
        found = [name async for piece in in_order(names) for name in piece]

    assert found == sorted(names)
    assert turns.count >= len(names) // SLICE


async def test_slices_are_of_their_size_and_whole() -> None:
    """The last one may be smaller; of nothing there are none."""
    found = [piece async for piece in slices(range(25), 10)]

    assert [len(piece) for piece in found] == [10, 10, 5]
    assert [item for piece in found for item in piece] == list(range(25))
    assert [piece async for piece in slices([])] == []
