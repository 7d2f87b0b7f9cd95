"""Holding figures against what was aimed at."""

from benchmarks.aims import verdicts
from benchmarks.scenarios import Scenario, Shape, Way
from tests.unit.benchmarks.builders import baselines, trial

_SINGLE = {shape: Scenario(shape, in_flight=256) for shape in Shape}


def test_a_ratio_is_to_the_baseline_of_the_same_accounts() -> None:
    """What is hot is compared with what is hot."""
    trials = [
        *baselines(Shape.UNIFORM, function=1000, statements=500),
        *baselines(Shape.HOT, function=100, statements=50),
        trial(_SINGLE[Shape.UNIFORM], 2000),
        trial(_SINGLE[Shape.HOT], 1900),
    ]

    told = {verdict.aim: (verdict.measured, verdict.met) for verdict in verdicts(trials)}

    by_function = "row at a time (one SQL function call each)"
    assert told[f"single_256_uniform: ≥ 8 × {by_function}"][1] is False
    assert told[f"single_256_hot: ≥ 8 × {by_function}"] == ("19.0 × (1,900/s, 100/s)", True)
    by_statements = "row by statements (the textbook's transaction)"
    assert told[f"single_256_uniform: ≥ 8 × {by_statements}"][0] == "4.0 × (2,000/s, 500/s)"
    assert told["single_256_hot: ≥ 90 % of uniform"] == ("95%", True)


def test_an_aim_has_beside_it_what_nothing_behind_came_to() -> None:
    """Over the same baseline, and whether even that is too little."""
    trials = [
        *baselines(Shape.HOT, function=1000, statements=500),
        trial(_SINGLE[Shape.HOT], 2000),
        trial(Scenario(Shape.HOT, in_flight=4, batch=1000), 20_500),
        trial(Scenario(Shape.UNIFORM, Way.NOTHING, in_flight=256), 4200),
        trial(Scenario(Shape.UNIFORM, Way.NOTHING, in_flight=4, batch=1000), 90_000),
    ]

    told = {verdict.aim: verdict.nothing_behind for verdict in verdicts(trials)}

    by_function = "row at a time (one SQL function call each)"
    assert told[f"single_256_hot: ≥ 8 × {by_function}"] == "4.2 ×: below the aim"
    by_statements = "row by statements (the textbook's transaction)"
    assert told[f"single_256_hot: ≥ 8 × {by_statements}"] == "8.4 ×"
    assert told["single_256_hot: 2,500/s"] == "4,200/s"
    assert told[f"batch_1000_hot: ≥ 40 × {by_function}"] == "90.0 ×"
    assert told["batch_1000_hot: 20,000/s"] == "90,000/s"
    assert told["single_256_hot: p99 < 200 ms"] == ""


def test_a_server_that_was_not_measured_is_not_told() -> None:
    """It did not come to nought."""
    trials = [
        *baselines(Shape.HOT, function=1000, statements=500),
        trial(_SINGLE[Shape.HOT], 2000),
    ]

    assert {verdict.nothing_behind for verdict in verdicts(trials)} == {""}


def test_an_aim_is_met_by_time_as_well() -> None:
    """p99 has a limit of its own."""
    slow = trial(_SINGLE[Shape.HOT], 3000, p99_ms=201)

    (verdict,) = [v for v in verdicts([slow]) if "p99" in v.aim]

    assert not verdict.met


def test_errors_in_a_closed_loop_are_told() -> None:
    """An open loop may ask for more than there is; callers that wait for answers get them."""
    wrong, asked_too_much = trial(_SINGLE[Shape.HOT], 10), trial(Scenario(Shape.HOT, per_s=2000), 9)
    asked_too_much.errors["RESOURCE_EXHAUSTED"] = 7
    calm = verdicts([asked_too_much])[-1]

    wrong.errors["UNAVAILABLE"] = 1

    assert calm.met
    assert not verdicts([wrong, asked_too_much])[-1].met
