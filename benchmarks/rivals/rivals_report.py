"""The comparison, told: a line at a time, a table per load, figures for the results file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console

from benchmarks import trial_report
from benchmarks.results import Measure
from benchmarks.rivals.bouts import Bout, Contender
from benchmarks.trial import Trial

NAME = "ledger_rivals"
_HEADS = ("accounts", "load", "who", "per s", "the ledger is", *trial_report.HEADS)
_NONE = "–"
_WORDS = 3  # columns of words; the others hold figures

Told = tuple[Bout, Trial]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of all bouts, and what PostgreSQL told of itself."""

    bouts: Sequence[Told]
    told: Mapping[str, str]


def line(bout: Bout, trial: Trial) -> str:
    """Tell what came of a bout as soon as it has ended."""
    cpu = ", ".join(f"{part} {used:,.0f}" for part, used in trial.cpu_us.items())
    return (
        f"{bout.scenario.shape}, {bout.scenario.title}, {bout.contender.called}:"
        f" {trial.rate:,.0f}/s, p50 {trial.p50_ms:.1f} ms, p95 {trial.p95_ms:.1f} ms,"
        f" p99 {trial.p99_ms:.1f} ms, errors {trial_report.errors_of(trial)}; CPU µs: {cpu};"
        f" {trial.foreign_cores:.2f} foreign cores"
    )


def report(
    bouts: Sequence[Told], facts: Mapping[str, str], missing: Sequence[str], console: Console
) -> list[Measure]:
    """Print the table, write it as a page beside the results file, and name the figures."""
    rows = [_row(bout, trial, _ledgers_rate(bout, bouts)) for bout, trial in bouts]
    console.print(trial_report.table(_HEADS, rows), *missing)
    page = trial_report.write_page(
        NAME,
        [*trial_report.told(facts), *missing],
        trial_report.markdown(_HEADS, rows, words=_WORDS),
    )
    console.print(f"wrote {page}")
    return [
        measure
        for bout, trial in bouts
        for measure in _measures(bout, trial, _ledgers_rate(bout, bouts))
    ]


def _ledgers_rate(bout: Bout, bouts: Sequence[Told]) -> float:
    """Find what the ledger came to under the same load; 0: it was not asked that.

    Whoever cannot have 64 or 256 requests at once is held against the ledger at as many as it has
    itself, or at the next more.
    """
    same = [
        (other.scenario.in_flight, trial.rate)
        for other, trial in bouts
        if other.contender is Contender.PAYMESH
        and (other.scenario.shape, other.scenario.batch)
        == (bout.scenario.shape, bout.scenario.batch)
        and other.scenario.in_flight >= bout.scenario.in_flight
    ]
    return min(same)[1] if same else 0.0


def _row(bout: Bout, trial: Trial, ledgers: float) -> list[str]:
    is_ledger = bout.contender is Contender.PAYMESH
    return [
        str(bout.scenario.shape),
        bout.scenario.title,
        bout.contender.called,
        f"{trial.rate:,.0f}",
        _NONE if is_ledger or not trial.rate else f"{ledgers / trial.rate:.1f} ×",
        *trial_report.cells(trial, nothing=_NONE),
    ]


def _measures(bout: Bout, trial: Trial, ledgers: float) -> list[Measure]:
    """Name a bout's figures; a rival's rate has the ledger's beside it, and how often that holds
    it: above 1 the rival is faster.
    """
    name = f"rivals_{bout.contender}_{bout.scenario.name}"
    figures = trial_report.figures(trial)
    rate, base = round(trial.rate, 1), round(ledgers, 1)
    beside = bout.contender is not Contender.PAYMESH and base > 0
    return [
        Measure(
            f"{name}_per_s", rate, "1/s", trial.count,
            base if beside else None, round(rate / base, 2) if beside else None,
        ),
        *(
            Measure(f"{name}_{figure}", round(value, 2), unit, trial.count)
            for figure, (value, unit) in figures.items()
        ),
    ]  # fmt: skip
