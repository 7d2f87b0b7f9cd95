"""Runs the simulation: `python -m tests.simulation --seeds 500`, or one seed again by `--seed N`.

Exit code 0: no violation, every class of faults struck, every planted mistake was found. 1: not so.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.results import RESULTS, write
from tests.simulation import report
from tests.simulation.campaign import Hunt, Run, Tally, hunt, run_seed, run_seeds, undisturbed
from tests.simulation.mutants import MUTANTS, seeds_for

_TELL_EVERY_S = 2.0
_ROOT = Path(__file__).resolve().parents[2]
_PAGE = _ROOT / "docs" / "reference" / "simulation.md"


class Progress:
    """Tells every two seconds how far it is."""

    def __init__(self, seed_count: int, *, is_quiet: bool) -> None:
        self._seed_count = seed_count
        self._is_quiet = is_quiet
        self._done = 0
        self._failed = 0
        self._told_at = time.monotonic()

    def seed_done(self, run: Run) -> None:
        """Hear of a seed."""
        self._done += 1
        if run.findings:
            self._failed += 1
            print(report.failure(run), file=sys.stderr)
        if time.monotonic() - self._told_at >= _TELL_EVERY_S:
            self._told_at = time.monotonic()
            self.say(f"{self._done}/{self._seed_count} seeds, {self._failed} with a violation")

    def say(self, text: str) -> None:
        """Tell a line, unless nobody wants to hear it."""
        if not self._is_quiet:
            print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str]) -> int:
    """Run seeds as asked."""
    asked = _parse(arguments)
    if asked.seed is not None:
        return _replay(asked.seed, is_json=asked.json)
    seeds = range(asked.first, asked.first + asked.seeds)
    progress = Progress(len(seeds), is_quiet=asked.json)
    tally = run_seeds(seeds, progress.seed_done)
    hunts = [] if asked.no_mutants else _hunt(progress)
    measures = report.measures(tally, hunts)
    path = write("sim", measures)
    page = RESULTS / "sim.md"
    page.write_text(report.figures(tally, hunts))
    if asked.docs:
        _PAGE.write_text(report.with_figures(_PAGE.read_text(), tally, hunts))
    if asked.json:
        print(json.dumps([asdict(measure) for measure in measures], indent=2))
    else:
        _tell(tally, hunts)
        print(f"\nwrote {path.relative_to(_ROOT)} and {page.relative_to(_ROOT)}")
    is_good = not tally.failed and not tally.never_struck
    return 0 if is_good and all(one.seed is not None for one in hunts) else 1


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation",
        description="Run the payment platform under simulated time, faults and crashes.",
    )
    parser.add_argument("--seeds", type=_count, default=500, help="how many seeds (500)")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--seed", type=int, help="run this one alone, and tell all that happens")
    parser.add_argument("--no-mutants", action="store_true", help="plant no mistakes afterwards")
    parser.add_argument("--docs", action="store_true", help=f"write the figures into {_PAGE.name}")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _hunt(progress: Progress) -> list[Hunt]:
    hunts = []
    for mutant in MUTANTS:
        one = hunt(mutant, seeds_for(mutant))
        where = f"found by seed {one.seed}" if one.seed is not None else "NOT FOUND"
        progress.say(f"mistake {len(hunts) + 1}/{len(MUTANTS)} {mutant.name}: {where}")
        hunts.append(one)
    return hunts


def _replay(seed: int, *, is_json: bool) -> int:
    with undisturbed():
        run = run_seed(seed, is_told_whole=True)
    if is_json:
        found = [asdict(finding) for finding in run.findings]
        print(json.dumps({"seed": seed, "trace": run.trace_hash, "findings": found}, indent=2))
    else:
        print("\n".join(run.last_events))
        print(f"seed {seed}: trace {run.trace_hash}, {len(run.findings)} violations")
        for finding in run.findings:
            print(f"  {finding.check}: {finding.text}")
    return 1 if run.findings else 0


def _tell(tally: Tally, hunts: Sequence[Hunt]) -> None:
    print(f"\n{report.summary(tally)}\n\n{report.strikes_table(tally)}")
    if hunts:
        print(f"\n{report.mutants_table(hunts)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
