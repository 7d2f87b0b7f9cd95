"""`make faults`, `python -m tests.faults.matrix`: plays the crash matrix."""

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from benchmarks import results
from devstack.show import wide_console
from tests.faults.matrix import report
from tests.faults.matrix.catalogue import Case, cases, slice_of
from tests.faults.matrix.play import Played
from tests.faults.matrix.run import LANES, matrix


def main() -> int:
    """Read the command line and play; 1 when there was a violation, 2 when nothing fits."""
    given = _arguments()
    console = wide_console()
    chosen = _chosen(given)
    if not chosen:
        console.print("no case has such a name; --list shows them")
        return 2
    if given.list:
        for case in chosen:
            console.print(case.name)
        return 0
    progress = _Progress(console, len(chosen))
    played, seconds = matrix(chosen, lanes=given.lanes, tell=progress.tell)
    report.show(console, played, seconds)
    if not (given.only or given.case or given.slice):
        target = results.write("faults", report.measures(played, seconds))
        report.PAGE.write_text(report.page(played, seconds))
        console.print(f"written: {target}, {report.PAGE}")
    return 1 if any(one.problems for one in played) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.matrix", description=__doc__)
    parser.add_argument("--only", help="cases whose name has this in it")
    parser.add_argument("--case", help="one case, by its name")
    parser.add_argument("--slice", action="store_true", help="every point once, as in `make test`")
    parser.add_argument("--list", action="store_true", help="name the cases, play none")
    parser.add_argument("--repeat", type=int, default=1, help="play each so many times")
    parser.add_argument("--lanes", type=int, default=LANES, help="how many at once, 16 at most")
    return parser.parse_args()


def _chosen(given: argparse.Namespace) -> Sequence[Case]:
    found = cases()
    if given.slice:
        found = slice_of(found)
    if given.case:
        found = [case for case in found if case.name == given.case]
    if given.only:
        found = [case for case in found if given.only in case.name]
    return [*found] * int(given.repeat)


class _Progress:
    """Tells how far it is: a line for each hundred, and one for each violation."""

    def __init__(self, console: Console, whole: int) -> None:
        self._console = console
        self._whole = whole
        self._done = 0

    def tell(self, one: Played) -> None:
        """Take in a case that was played."""
        self._done += 1
        for problem in one.problems:
            self._console.print(f"[red]✗[/] {one.case.name}: {problem}")
        if self._done % 50 == 0:
            self._console.print(f"… {self._done} of {self._whole}")


if __name__ == "__main__":
    sys.exit(main())
