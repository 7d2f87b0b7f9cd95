"""Turns are taken so that whatever befalls a batch, each is answered by what is on disk."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookkeeping.pipeline import Pipeline
from chassis.errors import Unavailable
from tests.unit.bookkeeping.sums import FAR, STRANGER, Batch, Fate, Sums

_DEADLINE_S = 60


def pipeline_of(books: Sums) -> Pipeline[int, int | None, Batch, int]:
    """Make a pipeline of books."""
    return Pipeline(books)


async def until(condition: Callable[[], Any]) -> None:
    """Let others go on until something is so."""
    async with asyncio.timeout(_DEADLINE_S):
        while not condition():
            await asyncio.sleep(0)


async def test_the_next_batch_is_decided_while_one_is_written() -> None:
    """One, not more; and it is not answered before the one it was decided upon."""
    gate = asyncio.Event()
    books = Sums(gates=[gate])
    pipeline = pipeline_of(books)
    first, second, third = (asyncio.create_task(pipeline.run([n])) for n in (1, 2, 3))
    await until(lambda: "decided [2]" in books.seen)
    await asyncio.wait([second, third], timeout=0)

    assert books.seen == ["decided [1]", "decided [2]"]
    assert not any(task.done() for task in (first, second, third))
    gate.set()
    assert await asyncio.gather(first, second, third) == [[1], [3], [6]]
    assert books.log == [[1], [2], [3]]


@pytest.mark.parametrize("fate", [Fate.DOWN, Fate.ANSWER_LOST])
async def test_a_batch_that_fails_takes_the_one_behind_it_along(fate: Fate) -> None:
    """What that was decided on is not known to have come about: it is decided again under locks."""
    books = Sums([fate])
    pipeline = pipeline_of(books)

    failed, second, third = await asyncio.gather(
        *(pipeline.run([n]) for n in (1, 2, 4)), return_exceptions=True
    )

    lost = 1 if fate is Fate.ANSWER_LOST else 0
    assert isinstance(failed, Unavailable)
    assert (second, third) == ([lost + 2], [lost + 6])
    assert books.total == lost + 6
    assert books.seen[-4:] == ["locked [2]", "wrote [2]", "decided [4]", "wrote [4]"]


async def test_a_batch_that_was_overtaken_is_decided_again_and_so_is_the_one_behind_it() -> None:
    """Both under locks, in their order; nobody decides meanwhile."""
    books = Sums([Fate.STRANGER])
    pipeline = pipeline_of(books)

    answers = await asyncio.gather(*(pipeline.run([n]) for n in (1, 2, 4)))

    assert answers == [[STRANGER + 1], [STRANGER + 3], [STRANGER + 7]]
    assert books.seen == [
        "decided [1]", "decided [2]",
        "took back [1]", "locked [1]", "wrote [1]",
        "locked [2]", "wrote [2]",
        "decided [4]", "wrote [4]",
    ]  # fmt: skip


@pytest.mark.parametrize("commands", [[-1, 5], [0]])
async def test_what_cannot_be_decided_ahead_is_decided_under_locks(commands: list[int]) -> None:
    """Told beforehand or when it is decided; behind it goes on as before."""
    books = Sums()
    pipeline = pipeline_of(books)

    await asyncio.gather(*(pipeline.run(asked) for asked in ([1], commands, [2])))

    assert books.log == [[1], commands, [2]]
    assert [line for line in books.seen if line.startswith("locked")] == [f"locked {commands}"]


async def test_what_is_taken_by_others_is_asked_for_anew() -> None:
    """Under locks too, until it is ours; what was known is forgotten each time."""
    books = Sums(taken=2)

    assert await pipeline_of(books).run([-1]) == [-1]
    assert books.seen == ["locked [-1]", "forgot"] * 2 + ["locked [-1]", "wrote [-1]"]


async def test_what_was_found_while_a_batch_failed_is_not_kept() -> None:
    """It may be what the failed one was decided on; who looked for it decides under locks."""
    gate = asyncio.Event()
    books = Sums([Fate.DOWN], [gate])
    pipeline = pipeline_of(books)
    first, second = (asyncio.create_task(pipeline.run([n])) for n in (1, FAR))
    await until(lambda: "decided [1]" in books.seen)
    gate.set()
    with pytest.raises(Unavailable):
        await first
    books.found_far.set()

    assert await second == [FAR]
    assert books.seen == ["decided [1]", "forgot", "locked [500]", "wrote [500]"]


async def test_a_batch_nobody_waits_for_any_more_is_forgotten() -> None:
    """It was decided and will not be written: the next must not be decided upon it."""
    gate = asyncio.Event()
    books = Sums(gates=[gate])
    pipeline = pipeline_of(books)
    first, second = (asyncio.create_task(pipeline.run([n])) for n in (1, 2))
    await until(lambda: "decided [2]" in books.seen)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    told = list(books.seen)
    gate.set()

    assert told == ["decided [1]", "decided [2]", "forgot"]
    assert await asyncio.gather(first, pipeline.run([4])) == [[1], [5]]
    assert books.log == [[1], [4]]


async def test_the_more_often_what_is_known_was_wrong_the_longer_it_is_not_asked() -> None:
    """After the second miss in a row the next 2 lock at once, then 6, then 14, at most 62."""
    books = Sums([Fate.STRANGER] * 200)
    pipeline = pipeline_of(books)
    waits: list[int] = []
    for _ in range(200):
        before = len(books.seen)
        await pipeline.run([1])
        if any(line.startswith("decided") for line in books.seen[before:]):
            waits.append(0)
        else:
            waits[-1] += 1

    assert waits[:7] == [0, 2, 6, 14, 30, 62, 62]


async def test_one_that_is_right_ends_the_wariness() -> None:
    """The next miss counts as the first."""
    books = Sums([Fate.STRANGER, Fate.FINE, Fate.FINE, Fate.STRANGER])
    pipeline = pipeline_of(books)

    for _ in range(4):
        await pipeline.run([1])

    assert [line for line in books.seen if line.startswith("decided")] == ["decided [1]"] * 4


@given(
    batches=st.lists(st.lists(st.integers(-3, 9), min_size=1, max_size=3), max_size=24),
    fates=st.lists(st.sampled_from(Fate), max_size=24),
    width=st.integers(1, 4),
    taken=st.integers(0, 2),
)
async def test_every_answer_is_what_is_on_disk(
    batches: list[list[int]], fates: list[Fate], width: int, taken: int
) -> None:
    """However batches fail, are overtaken and lose their answers: what is answered is in the log,
    once, with the sums that its place there makes; nothing else is, but what failed.
    """
    books = Sums(fates, taken=taken)
    pipeline = pipeline_of(books)
    answered: dict[int, Sequence[int]] = {}

    async def ask(place: int) -> None:
        try:
            answered[place] = await pipeline.run(batches[place])
        except Unavailable:
            return

    for first in range(0, len(batches), width):
        await asyncio.gather(*map(ask, range(first, min(first + width, len(batches)))))

    total, sums = 0, {}
    for line in books.log:
        sums[id(line)] = [total + sum(line[: n + 1]) for n in range(len(line))]
        total += sum(line)
    assert [sums[id(batches[place])] for place in answered] == list(answered.values())
    assert len(sums) == len(books.log)
    failed = fates.count(Fate.DOWN) + fates.count(Fate.ANSWER_LOST)
    assert len(batches) - len(answered) <= failed
