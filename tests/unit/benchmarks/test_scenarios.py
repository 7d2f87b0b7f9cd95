"""Which loads there are, and what their figures are called."""

import pytest

from benchmarks.scenarios import Shape, Way, every_scenario


@pytest.mark.parametrize(
    "name",
    [
        "batch_1000",
        "batch_1000_hot",
        "batch_100",
        "single_1_uniform",
        "single_256_hot",
        "single_256_uniform",
        "row_at_a_time_hot",
        "row_by_statements_uniform",
        "open_1000_hot",
        "nothing_behind_single_256_uniform",
        "nothing_behind_batch_100",
        "nothing_behind_batch_1000",
    ],
)
def test_the_names_that_others_read_are_there(name: str) -> None:
    """A figure is found in the results file under the name that was agreed."""
    assert name in [scenario.name for scenario in every_scenario()]


def test_no_two_scenarios_have_one_name() -> None:
    """A figure in the results file belongs to one load."""
    names = [scenario.name for scenario in every_scenario()]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize("shape", list(Shape))
def test_the_baseline_runs_right_before_what_is_compared_with_it(shape: Shape) -> None:
    """Between the two, the machine has no time to change its speed."""
    scenarios = [scenario for scenario in every_scenario() if scenario.shape is shape]

    baseline = next(s for s in scenarios if s.way is Way.FUNCTION)

    following = scenarios[scenarios.index(baseline) + 1]
    assert (following.name, baseline.in_flight) == (f"single_256_{shape}", 256)
