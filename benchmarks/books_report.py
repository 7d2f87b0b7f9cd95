"""The figures of books, told: a line at a time, as tables, for the results file, as a page."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from benchmarks.aims import Verdict, verdicts
from benchmarks.results import RESULTS, Measure, revision
from benchmarks.scenarios import Way
from benchmarks.trial import Trial

_HEADS = (
    "accounts", "load", "per s", "p50 ms", "p95 ms", "p99 ms", "errors", "CPU µs: server",
    "PostgreSQL", "generator", "disk B", "WAL B", "foreign cores",
)  # fmt: skip
_WAYS = {
    Way.SERVICE: "",
    Way.FUNCTION: "row at a time: ",
    Way.STATEMENTS: "row by statements: ",
    Way.BARE: "row at a time, pgbench: ",
    Way.NOTHING: "nothing behind it: ",
}


def line(trial: Trial) -> str:
    """Tell what came of a scenario as soon as it has ended."""
    scenario = trial.scenario
    return (
        f"{scenario.shape}, {_WAYS[scenario.way]}{scenario.title}: {trial.rate:,.0f}/s,"
        f" p50 {trial.p50_ms:.1f} ms, p99 {trial.p99_ms:.1f} ms, errors {_errors(trial)}"
    )


def report(
    name: str, trials: Sequence[Trial], facts: Mapping[str, str], console: Console
) -> list[Measure]:
    """Print the tables, write them as a page beside the results file, and name the figures."""
    rows, met = [_row(trial) for trial in trials], verdicts(trials)
    table = Table(*_HEADS, box=None)
    for row in rows:
        table.add_row(*row)
    aims = Table("aim", "measured", "nothing behind it", "", box=None)
    for verdict in met:
        aims.add_row(
            verdict.aim,
            verdict.measured,
            verdict.nothing_behind,
            "met" if verdict.met else "MISSED",
        )
    console.print(table, "", aims)
    page = RESULTS / f"{name}.md"
    page.parent.mkdir(exist_ok=True)
    page.write_text(_page(rows, met, facts))
    console.print(f"wrote {page}")
    return [measure for trial in trials for measure in _measures(name, trial, trials)]


def _row(trial: Trial) -> list[str]:
    times = (trial.p50_ms, trial.p95_ms, trial.p99_ms)
    cpu = (trial.cpu_us.get(part, 0.0) for part in ("server", "postgres", "generator"))
    return [
        str(trial.scenario.shape),
        _WAYS[trial.scenario.way] + trial.scenario.title,
        f"{trial.rate:,.0f}",
        *(f"{time:,.1f}" for time in times),
        _errors(trial),
        *(f"{used:,.0f}" for used in cpu),
        f"{trial.disk_bytes:,.0f}",
        f"{trial.wal_bytes:,.0f}",
        f"{trial.foreign_cores:.2f}",
    ]


def _errors(trial: Trial) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in trial.errors.items()) or "0"


def _page(rows: Sequence[Sequence[str]], met: Sequence[Verdict], facts: Mapping[str, str]) -> str:
    """Write Markdown: when and where, the aims, the table."""
    when = datetime.now(UTC)
    aims = [(v.aim, v.measured, v.nothing_behind, "yes" if v.met else "**no**") for v in met]
    heads = ("aim", "measured", "nothing behind it", "met")
    told = "\n".join(f"* {name}: {value}" for name, value in facts.items())
    return (
        f"Run on {when:%Y-%m-%d %H:%M} UTC, commit `{revision()[:10]}`.\n\n{told}\n\n"
        f"{_markdown(heads, aims)}\n{_markdown(_HEADS, rows)}"
    )


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    ruler = ["---" if place < 2 else "--:" for place in range(len(heads))]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (heads, ruler, *rows))


def _measures(books: str, trial: Trial, trials: Sequence[Trial]) -> list[Measure]:
    """Name a trial's figures; a rate of the service, or with nothing behind it, beside the
    baselines of its shape.
    """
    name, n = f"{books}_{trial.scenario.name}", trial.count
    figures = {
        "p50_ms": (trial.p50_ms, "ms"),
        "p95_ms": (trial.p95_ms, "ms"),
        "p99_ms": (trial.p99_ms, "ms"),
        "errors": (trial.errors.total(), "1"),
        **{f"cpu_us_{part}": (used, "us") for part, used in trial.cpu_us.items()},
        "making_us": (trial.making_us, "us"),
        "disk_bytes": (trial.disk_bytes, "B"),
        "wal_bytes": (trial.wal_bytes, "B"),
        "foreign_cores": (trial.foreign_cores, "1"),
    }
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
