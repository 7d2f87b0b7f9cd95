"""What a run leaves: a table for people, figures as JSON, and the page in the docs."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.results import Measure
from tests.faults.matrix.catalogue import BEHAVIOURS
from tests.faults.matrix.play import Played

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "crash-matrix.md"
_HEAD = """# Crash matrix

`make faults` kills real services with `kill -9` at named points, before and after what happens
there, while the PSP behaves well or badly, once, or again while the service recovers. After each
case all must come to rest; then the PSP's own record, the books, the wallets, the sagas' journals
and what the shop was told are held against each other: no effect twice, no payment lost, nobody
left uninformed. A case whose kill did not strike counts as a violation.

This page is written by the run.
"""


def measures(played: Sequence[Played], seconds: float) -> list[Measure]:
    """Make the figures."""
    violations = sum(1 for one in played if one.problems)
    cases = len(played)
    return [
        Measure("fault_cases", cases, "cases"),
        Measure("fault_violations", violations, "cases", n=cases),
        Measure("fault_kills", sum(one.kills for one in played), "kills", n=cases),
        Measure("fault_points", len({_place(one) for one in played}), "points"),
        Measure("fault_seconds", round(seconds, 1), "s"),
    ]


def show(console: Console, played: Sequence[Played], seconds: float) -> None:
    """Print the table by point and behaviour, and each violation with how to play it again."""
    table = Table(*_columns(played), title="Cases by point and behaviour; ✗ violations")
    for cells in _rows(played):
        table.add_row(*cells)
    console.print(table)
    for one in played:
        for problem in one.problems:
            console.print(f"[red]✗[/] {one.case.name} ({one.payment_id}): {problem}")
            console.print(f"  make faults CASE='{one.case.name}'")
    told = {measure.name: measure.value for measure in measures(played, seconds)}
    console.print(
        f"{told['fault_cases']} cases, {told['fault_kills']} kills -9, "
        f"{told['fault_violations']} violations, {seconds:.0f} s"
    )


def page(played: Sequence[Played], seconds: float) -> str:
    """Write the page."""
    told = {measure.name: measure.value for measure in measures(played, seconds)}
    effects = Counter(kind for one in played for kind in one.psp_record)
    lines = [
        _HEAD.rstrip("\n"),
        "",
        "| | |",
        "|---|---|",
        f"| cases | {told['fault_cases']} |",
        f"| points at which a service died | {told['fault_points']} |",
        f"| kills that struck | {told['fault_kills']} |",
        f"| recoveries | {told['fault_kills']} |",
        f"| what the PSP recorded | {', '.join(f'{n} {k}' for k, n in sorted(effects.items()))} |",
        f"| violations | {told['fault_violations']} |",
        f"| seconds | {seconds:.0f} |",
        "",
        "Each cell: cases without a violation / cases.",
        "",
        "| " + " | ".join(_columns(played)) + " |",
        "|" + "---|" * len(_columns(played)),
        *("| " + " | ".join(cells) + " |" for cells in _rows(played)),
    ]
    return "\n".join(lines) + "\n"


def _columns(played: Sequence[Played]) -> list[str]:
    return ["flow", "service", "point", *_behaviours(played)]


def _behaviours(played: Sequence[Played]) -> list[str]:
    present = {one.case.behaviour.name for one in played}
    return [behaviour.name for behaviour in BEHAVIOURS if behaviour.name in present]


def _place(one: Played) -> tuple[str, str, str]:
    point = one.case.point
    nth = f"@{point.nth}" if point.nth > 1 else ""
    return one.case.flow.name, point.service, f"{point.name}{nth}"


def _rows(played: Sequence[Played]) -> list[list[str]]:
    places = list(dict.fromkeys(map(_place, played)))
    return [
        [*place, *(_cell(played, place, behaviour) for behaviour in _behaviours(played))]
        for place in places
    ]


def _cell(played: Sequence[Played], place: tuple[str, str, str], behaviour: str) -> str:
    here = [o for o in played if _place(o) == place and o.case.behaviour.name == behaviour]
    good = sum(1 for one in here if not one.problems)
    return "" if not here else f"{good}/{len(here)}" + ("" if good == len(here) else " ✗")
