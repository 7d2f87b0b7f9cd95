"""A trial's figures as every report of trials tells them: in a table, on a page, in results."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from benchmarks.results import RESULTS, revision
from benchmarks.trial import Trial

# The columns that `cells` fills.
HEADS = (
    "p50 ms", "p95 ms", "p99 ms", "errors", "CPU µs: server", "PostgreSQL", "generator", "disk B",
    "WAL B", "foreign cores",
)  # fmt: skip


def cells(trial: Trial, *, nothing: str = "0") -> list[str]:
    """Write a trial under `HEADS`; `nothing` stands for times and bytes that are 0."""
    times = (trial.p50_ms, trial.p95_ms, trial.p99_ms)
    cpu = (trial.cpu_us.get(part, 0.0) for part in ("server", "postgres", "generator"))
    return [
        *(f"{time:,.1f}" if time else nothing for time in times),
        errors_of(trial),
        *(f"{used:,.0f}" for used in cpu),
        *(f"{size:,.0f}" if size else nothing for size in (trial.disk_bytes, trial.wal_bytes)),
        f"{trial.foreign_cores:.2f}",
    ]


def errors_of(trial: Trial) -> str:
    """Count a trial's errors by reason."""
    return ", ".join(f"{count:,} {reason}" for reason, count in trial.errors.items()) or "0"


def figures(trial: Trial) -> dict[str, tuple[float, str]]:
    """Name a trial's figures but for its rate, each with its unit."""
    return {
        "p50_ms": (trial.p50_ms, "ms"),
        "p95_ms": (trial.p95_ms, "ms"),
        "p99_ms": (trial.p99_ms, "ms"),
        "errors": (trial.errors.total(), "1"),
        **{f"cpu_us_{part}": (used, "us") for part, used in trial.cpu_us.items()},
        "disk_bytes": (trial.disk_bytes, "B"),
        "wal_bytes": (trial.wal_bytes, "B"),
        "foreign_cores": (trial.foreign_cores, "1"),
    }


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Make a table for the screen."""
    made = Table(*heads, box=None)
    for row in rows:
        made.add_row(*row)
    return made


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]], *, words: int) -> str:
    """Write a table for a page; the columns after the first `words` hold figures."""
    ruler = ["---" if place < words else "--:" for place in range(len(heads))]
    return "".join(f"| {' | '.join(line)} |\n" for line in (heads, ruler, *rows))


def told(facts: Mapping[str, str]) -> list[str]:
    """Write facts, a line each."""
    return [f"{name}: {value}" for name, value in facts.items()]


def write_page(name: str, lines: Sequence[str], *tables: str) -> Path:
    """Write a page beside the results file: when and of which commit, lines, and tables."""
    page = RESULTS / f"{name}.md"
    page.parent.mkdir(exist_ok=True)
    listed = "\n".join(f"* {line}" for line in lines)
    when = f"Run on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit `{revision()[:10]}`."
    page.write_text(f"{when}\n\n{listed}\n\n" + "\n".join(tables))
    return page
