"""The guard of a PSP: what it holds back was never sent, and says so."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from psp_gateway.domain.answer import (
    Answer,
    Created,
    Verdict,
    alarm,
    no_answer,
    not_sent,
    unusable,
)
from psp_gateway.domain.attempt import Delivery, Outcome
from psp_gateway.domain.circuit import Limits, State
from psp_gateway.domain.reasons import Reason
from psp_gateway.guard import Bounds, Guard
from tests.builders import NOW


@dataclass
class Clock:
    """A clock that is moved by hand."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.now


@dataclass
class Psp:
    """Answers always the same, and counts."""

    answer: Answer
    sent: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self) -> Answer:
        """Answer at once."""
        self.sent += 1
        return self.answer

    async def slowly(self) -> Answer:
        """Answer when the gate opens."""
        self.sent += 1
        await self.gate.wait()
        return self.answer


def told(answer: Answer) -> tuple[Outcome, Delivery, Reason | None]:
    """Tell what an answer says."""
    assert isinstance(answer, Verdict)
    return answer.outcome, answer.delivery, answer.reason


OPEN = (Outcome.TRANSIENT, Delivery.NOT_SENT, Reason.PSP_CIRCUIT_OPEN)
BUSY = (Outcome.TRANSIENT, Delivery.NOT_SENT, Reason.PSP_BUSY)
LIMITS = Limits(calls_min=4)


async def test_a_psp_in_trouble_is_left_alone() -> None:
    """After four silent calls nothing is sent; an operation is in trouble for itself alone."""
    clock, psp = Clock(), Psp(no_answer())
    guard = Guard("stripe", clock, limits=LIMITS)
    answers = [await guard.ask("confirm", psp) for _ in range(6)]

    assert psp.sent == 4
    assert [told(answer) for answer in answers[4:]] == [OPEN, OPEN]
    assert guard.obstacle("confirm") == "its circuit for confirm is open"
    assert guard.obstacle("refund") == ""
    clock.now += timedelta(seconds=2)
    psp.answer = Created("pi_1")
    assert await guard.ask("confirm", psp) == Created("pi_1")
    assert guard.circuits["confirm"].state is State.CLOSED


async def test_it_is_closed_by_hand() -> None:
    """All circuits, or one."""
    guard, psp = Guard("stripe", Clock(), limits=LIMITS), Psp(not_sent())
    for operation in ("confirm", "create"):
        for _ in range(4):
            await guard.ask(operation, psp)
    guard.reset("create")

    states = {name: circuit.state for name, circuit in guard.circuits.items()}
    assert states == {"confirm": State.OPEN, "create": State.CLOSED}
    guard.reset()
    assert {circuit.state for circuit in guard.circuits.values()} == {State.CLOSED}


async def test_a_no_is_no_trouble() -> None:
    """Declines, alarms and rate limits are answers of a PSP that is well."""
    guard = Guard("stripe", Clock(), limits=LIMITS)
    well = [
        Verdict(Outcome.DECLINED),
        Verdict(Outcome.PENDING),
        Verdict(Outcome.TRANSIENT, reason=Reason.PSP_RATE_LIMITED),
        alarm("", Reason.AMOUNT_MISMATCH),
        Created("pi_1"),
    ]
    for answer in well * 3:
        await guard.ask("confirm", Psp(answer))

    assert (guard.circuits["confirm"].calls, guard.circuits["confirm"].failures) == (15, 0)


async def test_an_error_that_is_repeated_is_no_trouble_of_now() -> None:
    """Asked again, a PSP repeats what it keeps under a key: that opens nothing. The same as a first
    answer does, and it is no proof that a PSP in trouble is well again.
    """
    clock = Clock()
    guard, kept = Guard("adyen", clock, limits=LIMITS), Psp(unusable("500", is_replay=True))
    for _ in range(20):
        await guard.ask("confirm", kept, is_repetition=True)
    assert (guard.obstacle("confirm"), kept.sent) == ("", 20)

    for _ in range(4):
        await guard.ask("confirm", kept)
    assert guard.circuits["confirm"].state is State.OPEN
    clock.now += timedelta(seconds=2)
    await guard.ask("confirm", kept, is_repetition=True)
    assert guard.circuits["confirm"].state is State.OPEN


async def test_the_bulkhead_holds_back_what_is_too_much() -> None:
    """Two are under way, the third waits, and is told that nothing was sent; others go on."""
    guard = Guard("stripe", Clock(), Bounds(in_flight_max=2, wait_s=0.05))
    psp = Psp(Created("pi_1"))
    under_way = [asyncio.create_task(guard.ask("confirm", psp.slowly)) for _ in range(2)]
    await asyncio.sleep(0)
    held_back = await guard.ask("confirm", psp)

    assert told(held_back) == BUSY
    psp.gate.set()
    assert await asyncio.gather(*under_way) == [Created("pi_1")] * 2
    assert await guard.ask("confirm", psp) == Created("pi_1")
    assert psp.sent == 3


async def test_the_rate_holds_back_what_is_too_fast() -> None:
    """Of a burst ten go out at once, one second's worth, and some more in the time to wait."""
    guard = Guard("stripe", Clock(), Bounds(wait_s=0.25, per_s=10.0))
    psp = Psp(Created("pi_1"))
    answers = await asyncio.gather(*(guard.ask("confirm", psp) for _ in range(40)))

    refused = [answer for answer in answers if answer != Created("pi_1")]
    assert {told(answer) for answer in refused} == {BUSY}
    assert psp.sent + len(refused) == 40
    assert 11 <= psp.sent < 40


async def test_a_cancelled_call_gives_its_turn_back() -> None:
    """The bulkhead does not fill with calls that nobody waits for."""
    guard = Guard("stripe", Clock(), Bounds(in_flight_max=1, wait_s=0.5))
    psp = Psp(Created("pi_1"))
    task = asyncio.create_task(guard.ask("confirm", psp.slowly))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert await guard.ask("confirm", psp) == Created("pi_1")
