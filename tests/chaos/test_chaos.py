"""A short run of chaos: a few of everything, and nothing lost, doubled or taken back."""

from pathlib import Path

import pytest

from devstack.state import reachable_folder
from tests.chaos.outcome import MUST_STRIKE
from tests.chaos.run import Play
from tests.chaos.schedule import all_sorts, draw, sorts
from tests.chaos.stage import staged

SECONDS, SEED = 20.0, 7


# The stack's start, the trouble, and all that is waited for after it, each to a deadline of its own
# that says what did not come; this one would not.
@pytest.mark.timeout(900)
async def test_a_short_run_is_good(tmp_path: Path) -> None:
    """Everything is killed, paused and cut off under load; every payment ends once, as told."""
    with reachable_folder("paymesh-chaos-") as folder:
        async with staged(folder) as stage:
            play = Play(
                stage,
                seconds=SECONDS,
                seed=SEED,
                clients=24,
                per_s=8.0,
                window_s=120.0,
                tell=print,
            )
            outcome = await play.run(tmp_path / "history.jsonl")

    outcome.judge_counts(goals=False)
    told = "\n".join(play.nemesis.log)
    assert outcome.violations == [], told
    assert outcome.unmet == [], told
    assert outcome.figures["payments"] > 0
    assert outcome.figures["ledger reads"] > 0


def test_a_seed_draws_one_schedule() -> None:
    """The same seed strikes the same at the same moments, another seed otherwise."""
    assert draw(1, 300) == draw(1, 300)
    assert draw(1, 300) != draw(2, 300)


@pytest.mark.parametrize("seconds", [20, 300])
def test_a_schedule_has_everything_in_time(seconds: int) -> None:
    """Each kind of trouble comes, in order of time, and none after the end."""
    schedule = draw(3, seconds)

    assert {strike.kind for strike in schedule} == set(MUST_STRIKE) - {"lost COMMIT answers"}
    assert schedule == sorted(schedule, key=lambda strike: strike.at_s)
    assert all(0 < strike.at_s < seconds for strike in schedule)


def test_a_whole_run_has_every_sort() -> None:
    """Of nothing that is to strike it may be said that it was not its turn; a short run has few."""
    assert sorts(draw(1, 300)) == all_sorts()
    assert len(all_sorts()) == 20
    assert set(sorts(draw(1, 20))) < set(all_sorts())


def test_five_minutes_kill_enough() -> None:
    """The schedule of a whole run holds what is to be reached, and a little more."""
    counts = dict.fromkeys(("kill", "postgres_crash", "redis_loss"), 0)
    for strike in draw(1, 300):
        if strike.kind in counts:
            counts[strike.kind] += 1

    assert counts["kill"] >= 160
    assert counts["postgres_crash"] >= 12
    assert counts["redis_loss"] >= 12
