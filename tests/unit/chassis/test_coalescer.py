"""The coalescer: every caller gets its own answer, whatever happens to the batch."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.coalescer import Coalescer
from chassis.errors import ResourceExhausted


class Poison(Exception):
    """An item that no batch survives."""


async def test_what_arrives_together_runs_together() -> None:
    """Callers that meet share a batch, and each gets its own answer."""
    batches: list[list[int]] = []

    async def run(items: Sequence[int]) -> list[int]:
        batches.append(list(items))
        await asyncio.sleep(0)
        return [item * 2 for item in items]

    coalescer = Coalescer(run, batch_max=8)
    answers = await asyncio.gather(*(coalescer.submit(n) for n in range(20)))

    assert answers == [n * 2 for n in range(20)]
    assert [len(batch) for batch in batches] == [8, 8, 4]


async def test_one_after_the_other_is_never_forgotten() -> None:
    """A call that comes the moment the last batch has ended starts a batch of its own."""

    async def run(items: Sequence[int]) -> Sequence[int]:
        return items

    coalescer = Coalescer(run)

    async with asyncio.timeout(60):
        assert [await coalescer.submit(n) for n in range(200)] == list(range(200))


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_poison_hurts_itself_alone(poisoned: list[bool]) -> None:
    """A batch that fails because of some items is bisected until only they fail."""

    async def run(items: Sequence[tuple[int, bool]]) -> list[int]:
        if any(bad for _, bad in items):
            raise Poison
        return [number for number, _ in items]

    async def submit_all() -> list[int | BaseException]:
        coalescer = Coalescer(run, bisect_on=(Poison,))
        calls = (coalescer.submit((n, bad)) for n, bad in enumerate(poisoned))
        return await asyncio.gather(*calls, return_exceptions=True)

    answers = asyncio.run(submit_all())

    for number, (answer, bad) in enumerate(zip(answers, poisoned, strict=True)):
        assert isinstance(answer, Poison) if bad else answer == number


async def test_other_errors_are_everybodys() -> None:
    """An error that is not one item's fault is told to the whole batch, once tried."""
    calls = 0

    async def run(_: Sequence[int]) -> list[int]:
        nonlocal calls
        calls += 1
        raise ConnectionError

    coalescer = Coalescer(run, bisect_on=(Poison,))
    answers = await asyncio.gather(*map(coalescer.submit, range(5)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [ConnectionError] * 5
    assert calls == 1


async def test_line_has_an_end() -> None:
    """When too many wait, the next is refused at once instead of waiting for ever."""
    gate = asyncio.Event()

    async def run(items: Sequence[int]) -> Sequence[int]:
        await gate.wait()
        return items

    coalescer = Coalescer(run, batch_max=1, waiting_max=2)
    first = [asyncio.create_task(coalescer.submit(n)) for n in range(2)]
    await asyncio.sleep(0)

    with pytest.raises(ResourceExhausted):
        await coalescer.submit(9)
    gate.set()
    assert await asyncio.gather(*first) == [0, 1]


async def test_caller_who_left_costs_nothing() -> None:
    """A cancelled call is not run when its turn comes, and disturbs nobody."""
    seen: list[int] = []
    gate = asyncio.Event()

    async def run(items: Sequence[int]) -> Sequence[int]:
        seen.extend(items)
        await gate.wait()
        return items

    coalescer = Coalescer(run, batch_max=1)
    calls = [asyncio.create_task(coalescer.submit(n)) for n in range(3)]
    await asyncio.sleep(0.01)
    calls[1].cancel()
    gate.set()

    assert await calls[0] == 0
    assert await calls[2] == 2
    assert seen == [0, 2]


async def test_a_patient_line_waits_for_those_who_come_back() -> None:
    """Callers who were answered together and ask again at their own pace share a batch again."""
    sizes: list[int] = []

    async def run(items: Sequence[int]) -> Sequence[int]:
        sizes.append(len(items))
        await asyncio.sleep(0)
        return items

    async def call(caller: int, coalescer: Coalescer[int, int]) -> None:
        for _ in range(3):
            await coalescer.submit(caller)
            for _ in range(caller % 5):
                await asyncio.sleep(0)

    patient = Coalescer(run, patience_s=10.0)
    await asyncio.gather(*(call(caller, patient) for caller in range(20)))

    assert sizes[:3] == [20, 20, 20]


async def test_patience_has_an_end() -> None:
    """Who comes alone after a crowd is served all the same, and a lone caller never waits."""

    async def run(items: Sequence[int]) -> Sequence[int]:
        return items

    patient = Coalescer(run, patience_s=0.001)
    await asyncio.gather(*map(patient.submit, range(20)))

    assert await asyncio.wait_for(patient.submit(7), 60) == 7
    assert await asyncio.wait_for(patient.submit(8), 60) == 8
