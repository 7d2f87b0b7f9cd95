"""What a run came to is judged without mercy, and told to people and machines alike."""

import json
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import results
from tests.chaos import report
from tests.chaos.aftermath import Rest, _shown
from tests.chaos.outcome import GOALS_300_S, MUST_STRIKE, SERVING_AFTER, Outcome
from tests.chaos.overload import refusals
from tests.chaos.schedule import all_sorts


def whole(**changed: int) -> Outcome:
    """Write the outcome of a run in which everything was reached; `changed` counts otherwise."""
    struck = Counter(dict.fromkeys(MUST_STRIKE, 1))
    figures: dict[str, float] = {}
    for name, count in {**GOALS_300_S, **changed}.items():
        if name in struck:
            struck[name] = count
        else:
            figures[name] = count
    return Outcome(300.0, 1, figures=figures, struck=struck)


def at_rest(*, total: int = 1000, late: int = 0, left: int = 0, dead: int = 0) -> Rest:
    """Write how a run came to rest."""
    letters = {f"pay_{number}": "NO_USABLE_ANSWER" for number in range(dead)}
    payments = [{"payment_id": f"pay_{number}"} for number in range(total)]
    open_ones = {f"pay_{number}": "PROCESSING" for number in range(left)}
    late_ones = [f"pay_{number}" for number in range(late)]
    return Rest(payments, late_ones, None if left else 12.0, open_ones, letters)


def test_a_whole_run_is_good() -> None:
    """Every goal just reached is reached."""
    outcome = whole()
    outcome.judge_counts(goals=True)
    outcome.judge_rest(at_rest(late=1, dead=1))

    assert outcome.is_good, outcome.unmet


@pytest.mark.parametrize("kind", MUST_STRIKE)
def test_trouble_that_never_struck_fails_a_run(kind: str) -> None:
    """Nothing wrong proves nothing when there was nothing to go wrong."""
    outcome = whole()
    outcome.struck[kind] = 0
    outcome.judge_counts(goals=False)

    assert outcome.unmet == [f"{kind} never took effect"]


def test_serving_late_fails_a_whole_run() -> None:
    """A short one, on any machine, is judged by what is wrong alone."""
    told = {}
    for goals in (False, True):
        outcome = whole()
        outcome.figures[SERVING_AFTER] = 30.1
        outcome.judge_counts(goals=goals)
        told[goals] = outcome.unmet

    assert told == {False: [], True: ["all serving again after 30.1 s, at most 30"]}


@pytest.mark.parametrize("sort", all_sorts())
def test_a_sort_that_was_drawn_and_never_struck_fails_a_run(sort: str) -> None:
    """However often others of its kind did."""
    outcome = whole()
    outcome.drawn = all_sorts()
    outcome.struck.update(set(all_sorts()) - {sort})
    outcome.judge_counts(goals=False)

    assert outcome.unmet == [f"{sort} never took effect"]


def test_a_long_run_refuses_late_writes_also_without_goals() -> None:
    """A fence that nobody ran into is not proven; a short run has hardly anybody to run into it."""
    for seconds, unmet in ((300.0, 1), (20.0, 0)):
        outcome = whole(**{"late writes refused": 0})
        outcome.seconds = seconds
        outcome.judge_counts(goals=False)

        assert len(outcome.unmet) == unmet


@pytest.mark.parametrize("name", GOALS_300_S)
def test_too_little_fails_a_run(name: str) -> None:
    """One less than is asked for is too little; a shorter run has to bring its share."""
    outcome = whole()
    target = outcome.struck if name in outcome.struck else outcome.figures
    target[name] = GOALS_300_S[name] - 1
    outcome.judge_counts(goals=True)
    shorter = whole()
    shorter.seconds = 30.0
    shorter.judge_counts(goals=True)

    assert len(outcome.unmet) == 1
    assert shorter.is_good


@pytest.mark.parametrize(("total", "dead"), [(1000, 2), (999, 1), (3, 3)])
def test_what_is_left_to_persons_fails_a_run(total: int, dead: int) -> None:
    """More than one in a thousand is none that it can be trusted to bring to an end by itself."""
    outcome = whole()
    outcome.judge_rest(at_rest(total=total, dead=dead))

    assert outcome.unmet[0].startswith("dead letters: pay_0 NO_USABLE_ANSWER")
    assert len(outcome.unmet) == 1


@pytest.mark.parametrize("rest", [at_rest(late=2), at_rest(left=1)])
def test_whoever_is_open_for_long_fails_a_run(rest: Rest) -> None:
    """More than one in a thousand after a minute, or anybody in the end."""
    outcome = whole()
    outcome.judge_rest(rest)

    assert len(outcome.unmet) == 1
    assert "pay_0" in outcome.unmet[0]


def test_a_violation_fails_a_run() -> None:
    """However much was reached."""
    outcome = whole()
    outcome.violations.append("the ledger did not sum to zero")

    assert not outcome.is_good


def test_machines_read_the_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The results file has the names that others rely on, and the page has every figure."""
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr(report, "PAGE", tmp_path / "chaos.md")
    outcome = whole()
    outcome.violations.append("pay_1 was charged twice")
    report.write(outcome)
    found = json.loads((tmp_path / "chaos.json").read_text())
    measures = {measure["name"]: measure["value"] for measure in found["measures"]}
    page = (tmp_path / "chaos.md").read_text()

    assert measures["chaos_payments"] == GOALS_300_S["payments"]
    assert measures["chaos_kills"] == GOALS_300_S["kill"]
    assert measures["chaos_violations"] == 1
    assert {"machine", "commit"} <= set(found)
    assert "pay_1 was charged twice" in page
    assert all(f"| {what} | {much} |" in page for what, much, _ in report.rows(outcome))


def test_refusals_are_read_off_the_edges_log(tmp_path: Path) -> None:
    """Those of the phase alone, and no line that is being written."""
    log = tmp_path / "edge-access.log"
    old = b'{"status": 429, "duration_ms": 900}\n'
    new = b'{"status": 200, "duration_ms": 3}\n{"status": 429, "duration_ms": 12}\n{"status": 42'
    log.write_bytes(old + new)

    assert list(refusals(log, len(old))) == [0.012]


@pytest.mark.parametrize(
    ("kind", "status", "unknown_since", "is_shown"),
    [
        ("pay_in", "UNKNOWN", "2026-01-01T00:00:00Z", True),
        ("pay_in", "EXECUTING", "2026-01-01T00:00:00Z", False),  # the order must say so
        ("void", "EXECUTING", "2026-01-01T00:00:00Z", True),
        ("void", "EXECUTING", "", False),
    ],
)
def test_who_openly_waits(kind: str, status: str, unknown_since: str, *, is_shown: bool) -> None:
    """An order that is UNKNOWN says so; of what is let go only the operators' list can."""
    payment = {"payment_id": "pay_1", "payment_orders": [{"status": status}]}
    saga = {"payment_id": "pay_1", "kind": kind, "reason": "NO_USABLE_ANSWER"}

    shown = _shown([payment], [{**saga, "unknown_since": unknown_since}])

    assert shown == ({"pay_1": "NO_USABLE_ANSWER"} if is_shown else {})
