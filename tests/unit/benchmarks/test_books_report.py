"""The figures of books as they are left for others."""

from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import books_report, trial_report
from benchmarks.scenarios import Scenario, Shape, Way
from tests.unit.benchmarks.builders import baselines, trial


@pytest.fixture(autouse=True)
def _own_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_report, "RESULTS", tmp_path)


def test_a_rate_has_both_baselines_beside_it(tmp_path: Path) -> None:
    """`ratio` is to one function call per transaction; that to single statements has a name of its
    own. The page says the same.
    """
    trials = [
        *baselines(Shape.HOT, function=100, statements=50),
        trial(Scenario(Shape.HOT, in_flight=256), 800),
    ]

    measures = books_report.report("ledger", trials, {"disk": "ext4"}, Console(quiet=True))

    by_name = {measure.name: measure for measure in measures}
    rate = by_name["ledger_single_256_hot_per_s"]
    other = by_name["ledger_single_256_hot_over_row_by_statements"]
    assert (rate.value, rate.baseline, rate.ratio, rate.n) == (800, 100, 8, 100)
    assert (other.value, other.baseline) == (16, 50)
    assert by_name["ledger_row_at_a_time_hot_per_s"].ratio is None
    page = (tmp_path / "ledger.md").read_text()
    assert "* disk: ext4" in page
    assert "| hot | single, 256 in flight | 800 |" in page


def test_nothing_behind_has_the_baselines_beside_it(tmp_path: Path) -> None:
    """In the results file; on the page its ratio is beside each aim."""
    trials = [
        *baselines(Shape.UNIFORM, function=100, statements=50),
        trial(Scenario(Shape.UNIFORM, in_flight=256), 180),
        trial(Scenario(Shape.UNIFORM, Way.NOTHING, in_flight=256), 450),
    ]

    measures = books_report.report("ledger", trials, {}, Console(quiet=True))

    by_name = {measure.name: measure for measure in measures}
    rate = by_name["ledger_nothing_behind_single_256_uniform_per_s"]
    assert (rate.value, rate.baseline, rate.ratio) == (450, 100, 4.5)
    page = (tmp_path / "ledger.md").read_text()
    assert "| 1.8 × (180/s, 100/s) | 4.5 ×: below the aim | **no** |" in page
    assert "| uniform | nothing behind it: single, 256 in flight | 450 |" in page


def test_an_open_loop_has_no_ratio() -> None:
    """Its rate is what was asked for, not what could be had."""
    trials = [trial(Scenario(Shape.HOT, per_s=1000), 1000)]

    measures = books_report.report("wallet", trials, {}, Console(quiet=True))

    assert measures[0].name == "wallet_open_1000_hot_per_s"
    assert measures[0].baseline is None


def test_processor_time_of_others_is_told_in_cores() -> None:
    """What is neither server, database nor generator was somebody else's."""
    measured = trial(Scenario(Shape.HOT, in_flight=1), 100)

    measured.set_cpu({"server": 1.0, "postgres": 0.5, "generator": 0.5, "machine": 6.0}, 100, 8.0)

    assert measured.cpu_us["server"] == 10_000
    assert measured.foreign_cores == 0.5
