"""The budget of what is asked again: never more than its shares, and soon back once a PSP is."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from psp_gateway.domain.answer import Answer, Created, no_answer
from psp_gateway.domain.retry_budget import RetryBudget, Shares
from psp_gateway.guard import Bounds, Guard
from tests.builders import NOW
from tests.unit.psp_gateway.test_guard import Clock, Psp

SHARES = Shares(of_first=0.1, per_s=0.5, most=5.0)
events = st.lists(st.tuples(st.sampled_from(["first", "again"]), st.floats(0, 3)), max_size=300)


@given(events=events)
def test_a_silent_psp_is_asked_again_within_the_shares(events: list[tuple[str, float]]) -> None:
    """Of a PSP that never answers, repetitions stay within the bucket, a tenth, and the trickle."""
    now, first, again = NOW, 0, 0
    budget = RetryBudget.full(SHARES, now)
    for kind, pause in events:
        now += timedelta(seconds=pause)
        if kind == "first":
            budget, first = budget.first(now), first + 1
            continue
        left = budget.again(now)
        if left is not None:
            budget, again = left, again + 1

    elapsed_s = (now - NOW) / timedelta(seconds=1)
    assert again <= 5.0 + 0.1 * first + 0.5 * elapsed_s + 1e-6
    assert 0 <= budget.tokens <= SHARES.most


@given(rounds=st.integers(1, 50))
def test_what_is_put_off_gets_its_turn_by_time(rounds: int) -> None:
    """An empty bucket tells when it lets one through, and then it does."""
    now = NOW
    budget = RetryBudget(SHARES, now, 0.0)
    for _ in range(rounds):
        assert budget.again(now) is None
        now += budget.empty_for(now) + timedelta(milliseconds=1)
        left = budget.again(now)
        assert left is not None
        budget = left


def test_answers_fill_it_again() -> None:
    """A PSP that has come back is asked twice as much with each round."""
    budget = RetryBudget(SHARES, NOW, 1.0)
    allowed = []
    for _ in range(3):
        count = 0
        while (left := budget.again(NOW)) is not None:
            budget, count = left, count + 1
        allowed.append(count)
        for _ in range(count):
            budget = budget.answered(NOW)

    assert allowed == [1, 2, 4]


async def test_the_guard_counts_at_the_wire() -> None:
    """A dead PSP below the circuit's notice: two hundred asked, each tried thrice, 1.2 requests."""
    clock = Clock()
    answer: Answer = no_answer()
    psp = Psp(answer)
    guard = Guard("stripe", clock, Bounds(shares=Shares(most=20.0)))
    offered = 200
    for _ in range(offered):
        clock.now += timedelta(seconds=0.6)  # never twenty in ten seconds: the circuit stays closed
        await guard.ask("create", psp)
        for _ in range(2):
            if guard.may_repeat("create"):
                await guard.ask("create", psp, is_repetition=True)

    # The trickle of half a request a second is the probes of two minutes.
    probes = 0.5 * 0.6 * offered
    assert psp.sent - probes <= 1.2 * offered
    psp.answer = Created("pi_1")
    clock.now += timedelta(seconds=2)
    for _ in range(60):
        if guard.may_repeat("create"):
            await guard.ask("create", psp, is_repetition=True)
    assert guard.may_repeat("create")
