"""What a campaign comes to: for people, for machines, and the tables of the reference page."""

from collections.abc import Sequence

from benchmarks.results import Measure
from tests.simulation.campaign import Hunt, Run, Tally
from tests.simulation.chance import CLASSES

_BEGIN, _END = "<!-- figures:", "<!-- end of figures -->"


def replay(seed: int) -> str:
    """Tell how a seed is run again."""
    return f".venv/bin/python -m tests.simulation --seed {seed}"


def failure(run: Run) -> str:
    """Tell of a seed that failed: what is wrong, the last events, and how to see it again."""
    lines = [f"seed {run.seed} fails (trace {run.trace_hash}):"]
    lines += [f"  {finding.check}: {finding.text}" for finding in run.findings]
    lines += ["  the last events:", *(f"  {event}" for event in run.last_events)]
    return "\n".join([*lines, f"  replay: {replay(run.seed)}"])


def summary(tally: Tally) -> str:
    """Tell in a few lines."""
    ends = ", ".join(f"{count} {status}" for status, count in sorted(tally.statuses.items()))
    lines = [
        f"{tally.seed_count} seeds, {tally.payment_count:,} payments ({ends})",
        f"{tally.strikes['killed']:,} kills, {len(tally.failed)} seeds with a violation",
        f"{tally.cpu_s:.1f} s of one core, {tally.per_cpu_s:.0f} payments a second of it",
    ]
    if tally.never_struck:
        lines.append(f"never struck, so not tested: {', '.join(tally.never_struck)}")
    return "\n".join(lines)


def strikes_table(tally: Tally) -> str:
    """Tell how often each class of faults took effect."""
    rows = [f"| {name.replace('_', ' ')} | {tally.strikes[name]:,} |" for name in CLASSES]
    return "\n".join(["| fault | took effect |", "|---|---|", *rows])


def mutants_table(hunts: Sequence[Hunt]) -> str:
    """Tell which planted mistake was found, by which checks, and after how many seeds."""
    rows = [
        f"| {one.mutant.name} | {one.mutant.says} | {', '.join(one.checks) or 'NOT FOUND'} "
        f"| {one.seeds_tried} |"
        for one in hunts
    ]
    return "\n".join(["| mistake | what is wrong | found by | seeds |", "|---|---|---|---|", *rows])


def figures(tally: Tally, hunts: Sequence[Hunt]) -> str:
    """Write the figures as a page shows them."""
    parts = [f"```\n{summary(tally)}\n```", strikes_table(tally)]
    parts += [mutants_table(hunts)] if hunts else []
    return "\n\n".join(parts) + "\n"


def with_figures(page: str, tally: Tally, hunts: Sequence[Hunt]) -> str:
    """Put the figures into a page, between the marks.

    Raises:
        ValueError: it has no marks.
    """
    before, mark, rest = page.partition(_BEGIN)
    first_line, _, rest = rest.partition("\n")
    _, end, after = rest.partition(_END)
    if not (mark and end):
        raise ValueError("the page has no place for figures")
    return f"{before}{mark}{first_line}\n\n{figures(tally, hunts)}\n{end}{after}"


def measures(tally: Tally, hunts: Sequence[Hunt]) -> list[Measure]:
    """Write the figures as every benchmark does."""
    violations = sum(len(run.findings) for run in tally.failed)
    found = [
        Measure("sim_seeds", tally.seed_count, "seeds"),
        Measure("sim_payments", tally.payment_count, "payments"),
        Measure("sim_kills", tally.strikes["killed"], "kills"),
        Measure("sim_violations", violations, "violations"),
        Measure("sim_payments_per_cpu_s", round(tally.per_cpu_s, 1), "payments/s"),
        Measure("sim_fault_classes_never_struck", len(tally.never_struck), "classes"),
    ]
    if hunts:
        caught = sum(one.seed is not None for one in hunts)
        found.append(Measure("mutants_caught", caught, "mutants"))
        found.append(Measure("mutants", len(hunts), "mutants"))
    return found
