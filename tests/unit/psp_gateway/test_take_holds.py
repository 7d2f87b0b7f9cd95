"""Any history of lost answers, late arrivals, crashes and waiting ends a hold at most once, and
what is said of it is true.
"""

from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from psp_gateway.domain.attempt import Attempt, Outcome
from psp_gateway.domain.errors import AlreadyCaptured, AlreadyVoided, AttemptReused, Refusal
from tests.unit.psp_gateway.test_take_further import (
    World,
    is_truly_not_sent,
    new_capture,
    new_charge,
    new_hold,
    new_void,
    troubles,
    visits,
)

SUCCESS = Outcome.SUCCEEDED
WORDS = {
    "capture": new_capture(),
    "part": new_capture("40.00"),
    "void": new_void(),
}
RIVALS = {
    **WORDS,
    "part": new_capture("40.00", "att_capture2"),
    "void again": new_void("att_void2"),
}


async def holding() -> World:
    """Make a world in which the money is held."""
    world = World()
    held = await world.ask("", new_hold())
    assert held is not None
    assert held.outcome is SUCCESS
    return world


def ends(world: World) -> list[tuple[str, str]]:
    """List what ended the hold, by the PSP's own record."""
    return [moved for moved in world.psp.moved if moved[0] in ("capture", "void")]


def is_true(answer: Attempt, world: World) -> bool:
    """Whether the PSP's record bears out what is said."""
    happened = ends(world)
    mine = (answer.kind.lower(), answer.attempt_id)
    if answer.outcome is SUCCESS:
        # What the PSP let go of by itself is let go of, whoever asked.
        return happened in ([mine], [(mine[0], "att_1")])
    if answer.outcome in (Outcome.DECLINED, Outcome.TRANSIENT):
        return mine not in happened
    return True


@settings(max_examples=300, deadline=None)
# Held on its way, looked up too early, and the repetition refused: still a doubt.
@example(["held", "none", "rate_limited"], [("", 0.0, False)], "capture", None)
# Held, and forgotten in a crash; whoever resumes must not take the refusal for an answer to it.
@example(
    ["held", "none", "rate_limited"],
    [("psp.captured=fail@1", 0.0, False), ("", 1.0, False)],
    "capture",
    None,
)
# Captured, the answer lost in a crash, and the time run out before the next look: still captured.
@example(["lost"], [("psp.captured=fail@1", 0.0, False), ("", 1.0, False)], "capture", 1)
@given(
    faults=troubles,
    visits=visits,
    word=st.sampled_from(sorted(WORDS)),
    late=st.none() | st.integers(0, 5),
)
async def test_what_is_said_of_a_word_is_true(
    faults: list[str], visits: list[tuple[str, float, bool]], word: str, late: int | None
) -> None:
    """SUCCEEDED means captured or let go once, DECLINED and TRANSIENT mean that it was not, nor
    will be later; in the end it is one of the first two.
    """
    asked = WORDS[word]
    world = await holding()
    world.psp.faults = iter(faults)
    for number, (plan, wait_s, arrive) in enumerate(visits):
        world.now += timedelta(seconds=wait_s)
        if arrive:
            world.psp.carry_out_held()
        if number == late:
            world.psp.let_go()
        answer = await world.ask(plan, asked)
        assert len(ends(world)) <= 1
        assert is_truly_not_sent(world)
        if answer is not None and answer.outcome in (Outcome.DECLINED, Outcome.TRANSIENT):
            world.psp.carry_out_held()
        assert answer is None or is_true(answer, world)

    settled = await world.settle(asked)

    assert settled.outcome.is_final
    assert is_true(settled, world)
    is_gone = ends(world) == [("void", "att_1")]
    assert settled.outcome is (Outcome.DECLINED if is_gone and word != "void" else SUCCESS)


@settings(max_examples=300, deadline=None)
@given(
    faults=troubles,
    visits=visits,
    words=st.lists(st.sampled_from(sorted(RIVALS)), min_size=6, max_size=6),
    late=st.none() | st.integers(0, 5),
)
async def test_rivals_end_a_hold_once(
    faults: list[str],
    visits: list[tuple[str, float, bool]],
    words: list[str],
    late: int | None,
) -> None:
    """Of several captures and voids one is taken up, and the others are told by whom."""
    world = await holding()
    world.psp.faults = iter(faults)
    for number, (plan, wait_s, arrive) in enumerate(visits):
        world.now += timedelta(seconds=wait_s)
        if arrive:
            world.psp.carry_out_held()
        if number == late:
            world.psp.let_go()
        answer = await world.answer(plan, RIVALS[words[number]])
        assert len(ends(world)) <= 1
        if isinstance(answer, Refusal):
            assert isinstance(answer, AlreadyCaptured | AlreadyVoided)
            assert answer.metadata["attemptId"] != RIVALS[words[number]].attempt_id
        elif answer is not None:
            assert is_true(answer, world)

    taken = [row for row in world.store.rows.values() if row.charge_attempt_id]
    open_ = [row for row in taken if row.outcome is not Outcome.DECLINED]
    assert len(open_) <= 1


@pytest.mark.parametrize("word", sorted(WORDS))
@pytest.mark.parametrize("hours", [12, 24, 100])
async def test_an_old_key_is_never_sent_again(word: str, hours: int) -> None:
    """After half of the PSP's retention it is only looked up, until the PSP's state tells."""
    world = await holding()
    world.psp.faults = iter(["held", "lost"])
    await world.ask("", WORDS[word])
    sent = list(world.psp.sent_keys)
    world.now = timedelta(hours=hours)

    answer = await world.ask("", WORDS[word])

    assert answer is not None
    assert (answer.outcome, answer.reason) == (Outcome.UNKNOWN, "KEY_TOO_OLD")
    assert world.psp.sent_keys == sent

    world.psp.let_go()
    settled = await world.settle(WORDS[word])
    assert settled.outcome is (SUCCESS if word == "void" else Outcome.DECLINED)


@pytest.mark.parametrize("asked", [new_capture(), new_void()], ids=lambda asked: str(asked.kind))
async def test_what_is_final_never_reaches_the_psp(asked: Attempt) -> None:
    """A final outcome is answered from the store; one request, under the attempt's own key."""
    world = await holding()

    first = await world.ask("", asked)
    world.now = timedelta(days=400)
    again = await world.ask("", asked)

    assert first is not None
    assert first.outcome is SUCCESS
    assert again == first
    assert world.psp.sent_keys[2:] == [f"{asked.attempt_id}:{asked.kind.lower()}"]


async def test_a_spent_key_is_followed_by_a_fresh_one() -> None:
    """The PSP replays its stored error: the hold is still there, so another key is safe."""
    world = await holding()
    world.psp.faults = iter(["error_before_kept"])

    answer = await world.ask("", new_capture())

    assert answer is not None
    assert answer.outcome is SUCCESS
    assert world.psp.sent_keys[2:] == [
        "att_capture1:capture",
        "att_capture1:capture",
        "att_capture1:capture-4",
    ]
    assert ends(world) == [("capture", "att_capture1")]


async def test_a_hold_is_no_charge() -> None:
    """The same id cannot be held first and charged later."""
    world = await holding()

    answer = await world.answer("", new_charge())

    assert isinstance(answer, AttemptReused)
    assert answer.metadata["differs"] == "kind"
