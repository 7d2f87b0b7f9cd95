"""The comparison, told: a line at a time, a table per load, figures for the results file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from benchmarks.results import RESULTS, Measure, revision
from benchmarks.rivals.bouts import Bout, Contender
from benchmarks.trial import Trial

NAME = "ledger_rivals"
_HEADS = (
    "accounts", "load", "who", "per s", "the ledger is", "p50 ms", "p95 ms", "p99 ms", "errors",
    "CPU µs: server", "PostgreSQL", "generator", "disk B", "WAL B", "foreign cores",
)  # fmt: skip
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
        f" p99 {trial.p99_ms:.1f} ms, errors {_errors(trial)}; CPU µs: {cpu};"
        f" {trial.foreign_cores:.2f} foreign cores"
    )


def report(
    bouts: Sequence[Told], facts: Mapping[str, str], missing: Sequence[str], console: Console
) -> list[Measure]:
    """Print the table, write it as a page beside the results file, and name the figures."""
    rows = [_row(bout, trial, _ledgers_rate(bout, bouts)) for bout, trial in bouts]
    table = Table(*_HEADS, box=None)
    for row in rows:
        table.add_row(*row)
    console.print(table, *missing)
    page = RESULTS / f"{NAME}.md"
    page.parent.mkdir(exist_ok=True)
    page.write_text(_page(rows, facts, missing))
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
    times = (trial.p50_ms, trial.p95_ms, trial.p99_ms)
    cpu = (trial.cpu_us.get(part, 0.0) for part in ("server", "postgres", "generator"))
    return [
        str(bout.scenario.shape),
        bout.scenario.title,
        bout.contender.called,
        f"{trial.rate:,.0f}",
        _NONE if is_ledger or not trial.rate else f"{ledgers / trial.rate:.1f} ×",
        *(f"{time:,.1f}" if time else _NONE for time in times),
        _errors(trial),
        *(f"{used:,.0f}" for used in cpu),
        *(f"{size:,.0f}" if size else _NONE for size in (trial.disk_bytes, trial.wal_bytes)),
        f"{trial.foreign_cores:.2f}",
    ]


def _errors(trial: Trial) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in trial.errors.items()) or "0"


def _page(rows: Sequence[Sequence[str]], facts: Mapping[str, str], missing: Sequence[str]) -> str:
    when = datetime.now(UTC)
    told = [*(f"{name}: {value}" for name, value in facts.items()), *missing]
    ruler = ["---" if place < _WORDS else "--:" for place in range(len(_HEADS))]
    table = "".join(f"| {' | '.join(cells)} |\n" for cells in (_HEADS, ruler, *rows))
    facts_told = "\n".join(f"* {fact}" for fact in told)
    return (
        f"Run on {when:%Y-%m-%d %H:%M} UTC, commit `{revision()[:10]}`.\n\n{facts_told}\n\n{table}"
    )


def _measures(bout: Bout, trial: Trial, ledgers: float) -> list[Measure]:
    """Name a bout's figures; a rival's rate has the ledger's beside it, and how often that holds
    it: above 1 the rival is faster.
    """
    name = f"rivals_{bout.contender}_{bout.scenario.name}"
    figures = {
        "p50_ms": (trial.p50_ms, "ms"),
        "p95_ms": (trial.p95_ms, "ms"),
        "p99_ms": (trial.p99_ms, "ms"),
        "errors": (trial.errors.total(), "1"),
        **{f"cpu_us_{part}": (used, "us") for part, used in trial.cpu_us.items()},
        "disk_bytes": (trial.disk_bytes, "B"),
        "wal_bytes": (trial.wal_bytes, "B"),
        "foreign_cores": (trial.foreign_cores, "1"),
    }
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
