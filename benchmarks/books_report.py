"""The figures of books, told: a line at a time, as tables, for the results file, as a page."""

from collections.abc import Mapping, Sequence

from rich.console import Console

from benchmarks import trial_report
from benchmarks.aims import Verdict, verdicts
from benchmarks.results import Measure
from benchmarks.scenarios import Way
from benchmarks.trial import Trial

_HEADS = ("accounts", "load", "per s", *trial_report.HEADS)
_AIMS = ("aim", "measured", "nothing behind it", "met")
_WORDS = 2  # columns of words; the others hold figures
_WAYS = {
    Way.SERVICE: "",
    Way.FUNCTION: "row at a time: ",
    Way.STATEMENTS: "row by statements: ",
    Way.BARE: "row at a time, pgbench: ",
    Way.NOTHING: "nothing behind it: ",
}


def line(trial: Trial) -> str:
    """Tell what came of a scenario as soon as it has ended."""
    scenario, errors = trial.scenario, trial_report.errors_of(trial)
    return (
        f"{scenario.shape}, {_WAYS[scenario.way]}{scenario.title}: {trial.rate:,.0f}/s,"
        f" p50 {trial.p50_ms:.1f} ms, p99 {trial.p99_ms:.1f} ms, errors {errors}"
    )


def report(
    name: str, trials: Sequence[Trial], facts: Mapping[str, str], console: Console
) -> list[Measure]:
    """Print the tables, write them as a page beside the results file, and name the figures."""
    rows, met = [_row(trial) for trial in trials], verdicts(trials)
    shown = [_aim(verdict, met="met", missed="MISSED") for verdict in met]
    written = [_aim(verdict, met="yes", missed="**no**") for verdict in met]
    console.print(trial_report.table(_HEADS, rows), "", trial_report.table(_AIMS, shown))
    page = trial_report.write_page(
        name,
        trial_report.told(facts),
        trial_report.markdown(_AIMS, written, words=_WORDS),
        trial_report.markdown(_HEADS, rows, words=_WORDS),
    )
    console.print(f"wrote {page}")
    return [measure for trial in trials for measure in _measures(name, trial, trials)]


def _row(trial: Trial) -> list[str]:
    load = _WAYS[trial.scenario.way] + trial.scenario.title
    return [str(trial.scenario.shape), load, f"{trial.rate:,.0f}", *trial_report.cells(trial)]


def _aim(verdict: Verdict, *, met: str, missed: str) -> list[str]:
    return [verdict.aim, verdict.measured, verdict.nothing_behind, met if verdict.met else missed]


def _measures(books: str, trial: Trial, trials: Sequence[Trial]) -> list[Measure]:
    """Name a trial's figures; a rate of the service, or with nothing behind it, beside the
    baselines of its shape.
    """
    name, n = f"{books}_{trial.scenario.name}", trial.count
    figures = {**trial_report.figures(trial), "making_us": (trial.making_us, "us")}
    rest = [
        Measure(f"{name}_{k}", round(value, 2), unit, n) for k, (value, unit) in figures.items()
    ]
    rate = round(trial.rate, 1)
    if trial.scenario.way not in (Way.SERVICE, Way.NOTHING) or trial.scenario.per_s:
        return [Measure(f"{name}_per_s", rate, "1/s", n), *rest]
    base, other = (
        next(
            round(t.rate, 1)
            for t in trials
            if t.scenario.way is way and t.scenario.shape is trial.scenario.shape
        )
        for way in (Way.FUNCTION, Way.STATEMENTS)
    )
    return [
        Measure(f"{name}_per_s", rate, "1/s", n, base, _ratio(rate, base)),
        Measure(f"{name}_over_{Way.STATEMENTS}", _ratio(rate, other), "x", n, other),
        *rest,
    ]


def _ratio(value: float, baseline: float) -> float:
    return round(value / baseline, 2) if baseline else 0.0
