"""Chaos on the full stack: `python -m tests.chaos --seconds 300 --seed 1`."""

import argparse
import asyncio
import signal
import sys
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from devstack.audit import NotAudited, NotQuiescent
from devstack.state import StackError, reachable_folder
from tests.chaos import dead_psp, recovery, report
from tests.chaos.api import Api, Recorder
from tests.chaos.outcome import Outcome
from tests.chaos.overload import Overload
from tests.chaos.run import Play
from tests.chaos.sandbox_control import Psps
from tests.chaos.stage import Stage, staged

PHASES = ("recovery", "overload", "dead-psp")
_LOG_LINES = 40


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description="Kills, pauses and cuts off a full stack under load, heals it, and checks that"
        " no payment was lost or charged twice. Exits 1 when anything is wrong.",
    )
    parser.add_argument("--seconds", type=float, default=300.0, help="of trouble; default 300")
    parser.add_argument("--seed", type=int, default=1, help="draws everything; default 1")
    parser.add_argument("--clients", type=int, default=220, help="concurrent; default 220")
    parser.add_argument(
        "--per-second", type=float, default=18.0, help="payments begun at most; default 18"
    )
    parser.add_argument(
        "--window", type=float, default=180.0, help="seconds to come to rest; default 180"
    )
    parser.add_argument(
        "--no-goals", action="store_true", help="fail for what is wrong, not for too few payments"
    )
    parser.add_argument(
        "--state", type=Path, help="keep the stack's state and logs in this folder, to look at"
    )
    parser.add_argument(
        "--phases",
        nargs="*",
        choices=PHASES,
        default=PHASES,
        help="what comes after the trouble; default all",
    )
    parser.add_argument(
        "--only", choices=PHASES, help="nothing but this phase on a fresh stack; writes no results"
    )
    parser.add_argument("--no-results", action="store_true", help="write no results and no page")
    return parser.parse_args()


async def play(given: argparse.Namespace, folder: Path, saved: Path) -> Outcome:
    """Run on a fresh stack in `folder`."""
    tell = report.tell
    tell(f"starting a stack in {folder}")
    async with staged(folder) as stage:
        run = Play(
            stage,
            seconds=given.seconds,
            seed=given.seed,
            clients=given.clients,
            per_s=given.per_second,
            window_s=given.window,
            tell=tell,
        )
        try:
            outcome = await run.run(saved)
            await _phases(stage, outcome, given)
            outcome.judge_counts(goals=not given.no_goals)
        except BaseException:
            report.show_failure(run.nemesis.log[-_LOG_LINES:], given.seed)
            raise
        if not outcome.is_good:
            report.show_failure(run.nemesis.log, given.seed)
    return outcome


async def play_phase(given: argparse.Namespace, folder: Path) -> Outcome:
    """Run one phase alone on a fresh stack in `folder`."""
    report.tell(f"starting a stack in {folder}")
    outcome = Outcome(0, given.seed)
    async with staged(folder) as stage:
        await _phases(stage, outcome, argparse.Namespace(phases=(given.only,), seed=given.seed))
    return outcome


async def _phases(stage: Stage, outcome: Outcome, given: argparse.Namespace) -> None:
    """Go on with the stack as it is, now that it is well."""
    async with Api(stage.described, Recorder()) as api:
        if "recovery" in given.phases:
            report.tell("one part dies after the other")
            await recovery.measure(api, stage, outcome, given.seed)
        if "overload" in given.phases:
            report.tell("more than the stack can take")
            log = stage.state.log("edge-access")
            await Overload(api, outcome, given.seed, log).measure()
        if "dead-psp" in given.phases:
            report.tell("a PSP is dead")
            await dead_psp.measure(api, Psps(stage.described), outcome, given.seed)


def _folder(kept: Path | None) -> AbstractContextManager[Path]:
    return reachable_folder("paymesh-chaos-") if kept is None else nullcontext(kept)


def main() -> int:
    """Run, show, write."""
    given = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the stack is to be stopped then too
    saved = Path(tempfile.gettempdir()) / f"paymesh-chaos-{given.seed}.jsonl"
    try:
        with _folder(given.state) as folder:
            playing = play_phase(given, folder) if given.only else play(given, folder, saved)
            outcome = asyncio.run(playing)
    except (StackError, NotAudited, NotQuiescent, TimeoutError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    report.show(outcome)
    if given.only:
        return 0 if outcome.is_good else 1
    if not given.no_results:
        report.write(outcome)
    report.tell(f"the history is in {saved}; `python -m tests.chaos.history` checks it again")
    return 0 if outcome.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
