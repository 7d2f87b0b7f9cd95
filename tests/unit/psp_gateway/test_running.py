"""The attempts under way in one process: each once at a time, and answered in time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from chassis.errors import Unavailable
from chassis.money import Money
from psp_gateway.domain.attempt import Attempt, Delivery, Outcome
from psp_gateway.domain.errors import AttemptReused, NoRoute, Refusal
from psp_gateway.running import Asked, Running
from tests.unit.psp_gateway.test_take_further import new_charge

DONE = replace(new_charge(), outcome=Outcome.SUCCEEDED)


def running(*, answer_s: float = 5.0, count_max: int = 10) -> Running:
    """Make one."""
    return Running(answer_s=answer_s, count_max=count_max)


def asked(take: Callable[[], Awaitable[Attempt | Refusal]], *, attempt_id: str = "att_1") -> Asked:
    """Ask for a charge that is taken so."""
    return Asked(replace(new_charge(), attempt_id=attempt_id), take)


async def succeed() -> Attempt:
    """Charge at once."""
    return DONE


async def fail() -> Attempt:
    """Meet a store that is away."""
    raise Unavailable("no store")


class Gate:
    """A charge that goes on when it is let."""

    def __init__(self) -> None:
        self.count = 0
        self.begun = asyncio.Event()
        self.opened = asyncio.Event()

    async def take(self) -> Attempt:
        """Charge when the gate is open."""
        self.count += 1
        self.begun.set()
        await self.opened.wait()
        return DONE


async def test_what_takes_long_is_pending_and_joined() -> None:
    """A call is answered in time without a claim that nothing was sent; the next joins the same
    run.
    """
    gate, runs = Gate(), running(answer_s=0.01)

    first = await runs.run([asked(gate.take)])
    gate.opened.set()
    second = await runs.run([asked(gate.take)])

    assert isinstance(first[0], Attempt)
    assert (first[0].outcome, first[0].delivery) == (Outcome.PENDING, Delivery.SENT_NO_ANSWER)
    assert second == [DONE]
    assert gate.count == 1


@pytest.mark.parametrize(
    ("stored", "told", "reason"),
    [
        (Outcome.UNKNOWN, Outcome.UNKNOWN, "NO_USABLE_ANSWER"),
        (Outcome.ACTION_REQUIRED, Outcome.ACTION_REQUIRED, "NO_USABLE_ANSWER"),
        # It may be sent again by now, so that nobody may say that nothing is under way.
        (Outcome.TRANSIENT, Outcome.PENDING, ""),
        (Outcome.PENDING, Outcome.PENDING, ""),
    ],
)
async def test_what_takes_long_is_told_as_it_stands(
    stored: Outcome, told: Outcome, reason: str
) -> None:
    """What was not known before is not called new because it is asked again."""
    gate, runs = Gate(), running(answer_s=0.01)
    known = replace(
        new_charge(), outcome=stored, delivery=Delivery.ANSWERED, reason="NO_USABLE_ANSWER"
    )

    async def take() -> Attempt:
        runs.saw(known)
        return await gate.take()

    (answer,) = await runs.run([asked(take)])

    assert isinstance(answer, Attempt)
    assert (answer.outcome, answer.reason, answer.is_unfinished) == (told, reason, True)
    is_news = told not in (Outcome.PENDING, Outcome.TRANSIENT)
    assert answer.delivery is (Delivery.ANSWERED if is_news else Delivery.SENT_NO_ANSWER)
    gate.opened.set()
    assert await runs.run([asked(take)]) == [DONE]


async def test_what_its_store_failed_is_told_as_it_stands() -> None:
    """Trouble on the way takes back nothing that was known."""
    runs = running()

    async def take() -> Attempt:
        runs.saw(replace(new_charge(), outcome=Outcome.UNKNOWN))
        raise Unavailable("no store")

    answer, _ = await runs.run([asked(take), asked(succeed, attempt_id="att_2")])

    assert isinstance(answer, Attempt)
    assert answer.outcome is Outcome.UNKNOWN


async def test_a_caller_that_leaves_stops_nothing() -> None:
    """A cancelled call leaves its attempt running."""
    gate, runs = Gate(), running()
    caller = asyncio.create_task(runs.run([asked(gate.take)]))
    await gate.begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller

    gate.opened.set()
    joined = await runs.run([asked(gate.take)])

    assert joined == [DONE]
    assert gate.count == 1


async def test_another_content_does_not_join() -> None:
    """The same id with other content is refused while the first is under way."""
    gate, runs = Gate(), running(answer_s=0.01)
    await runs.run([asked(gate.take)])
    other = Asked(replace(new_charge(), amount=Money.parse("1.00", "USD")), gate.take)

    answers = await runs.run([other])

    assert isinstance(answers[0], AttemptReused)
    assert answers[0].metadata["differs"] == "amount"
    gate.opened.set()
    await runs.close(5.0)


async def test_one_in_trouble_fails_no_neighbour() -> None:
    """Where the store failed one item, that item is PENDING and the others are answered."""
    refusal = NoRoute("XXX")

    answers = await running().run(
        [asked(fail), refusal, asked(succeed, attempt_id="att_2")],
    )

    assert isinstance(answers[0], Attempt)
    assert answers[0].outcome is Outcome.PENDING
    assert answers[1:] == [refusal, DONE]


async def test_a_store_that_is_away_fails_the_call() -> None:
    """Where all items failed, the caller is told so, and may ask again."""
    runs = running()
    with pytest.raises(Unavailable):
        await runs.run([asked(fail), asked(fail, attempt_id="att_2")])

    assert await runs.run([asked(succeed)]) == [DONE]


async def test_there_is_a_limit() -> None:
    """Above the limit nothing is begun, and what runs goes on."""
    gate, runs = Gate(), running(answer_s=0.01, count_max=1)
    await runs.run([asked(gate.take)])

    with pytest.raises(Unavailable):
        await runs.run([asked(gate.take, attempt_id="att_2")])

    gate.opened.set()
    assert await runs.run([asked(gate.take)]) == [DONE]
    assert gate.count == 1


async def test_closing_waits_for_what_is_under_way() -> None:
    """What ends in time ends; the rest is left to be resumed."""
    ending, stuck, runs = Gate(), Gate(), running(answer_s=0.01)
    await runs.run([asked(ending.take), asked(stuck.take, attempt_id="att_2")])
    ending.opened.set()

    async with asyncio.timeout(60):
        await runs.close(0.1)

    assert (ending.count, stuck.count) == (1, 1)
