"""Builders of what a benchmark measured."""

from benchmarks.scenarios import Scenario, Shape, Way
from benchmarks.trial import Trial


def trial(scenario: Scenario, rate: float, *, p50_ms: float = 1.0, p99_ms: float = 2.0) -> Trial:
    """Make a trial of 100 transactions."""
    return Trial(scenario, rate, p50_ms, (p50_ms + p99_ms) / 2, p99_ms, count=100)


def baselines(shape: Shape, *, function: float, statements: float) -> list[Trial]:
    """Make trials of both baselines."""
    return [
        trial(Scenario(shape, Way.FUNCTION, in_flight=256), function),
        trial(Scenario(shape, Way.STATEMENTS, in_flight=256), statements),
    ]
