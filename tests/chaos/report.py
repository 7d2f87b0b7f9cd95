"""What people and machines read of a run: progress, a table, the results file, the page."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.results import Measure, revision
from benchmarks.results import write as write_results
from tests.chaos.outcome import GOALS_300_S, MUST_STRIKE, Outcome
from tests.chaos.recovery import POSTGRES_S, REDIS_S, SERVICE_S

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "chaos.md"
_KINDS = {
    "kill": "kill -9 of a service or the edge",
    "term": "SIGTERM of a service",
    "pause": "SIGSTOP for longer than a lease, then SIGCONT",
    "postgres_crash": "PostgreSQL crashes",
    "redis_loss": "Redis lost: kill -9, FLUSHALL",
    "database": "connections to PostgreSQL cut, silent, reset or slow",
    "lost COMMIT answers": "COMMITs whose answer was lost",
    "psp": "troubles at the PSPs",
    "PSP calls in trouble": "calls to PSPs that they struck",
}
# What is not a mere count: the unit, and what is asked for.
_FIGURES = {
    "final or visible 60 s after healing": ("%", "≥ 99.9 %"),
    "at rest after": ("s", ""),
    "dead letters": ("", "≤ 0.1 % of the payments"),
    "all serving again after": ("s", ""),
    "longest the ledger did not answer": ("s", ""),
    "late writes refused": ("", "> 0"),
    "final again after the death of a service": ("s", f"≤ {SERVICE_S:g} s"),
    "final again after the death of PostgreSQL": ("s", f"≤ {POSTGRES_S:g} s"),
    "final again after the death of Redis": ("s", f"≤ {REDIS_S:g} s"),
    "capacity": ("payments/s", ""),
    "refused with 429": ("", "> 0"),
    "99 % of refusals within": ("ms", "≤ 100 ms"),
    "99 % of refusals, as clients on this machine saw them": ("ms", ""),
    "99 % of acceptances within": ("ms", ""),
    "99 % of the accepted final within": ("s", "≤ what the queue's bound allows"),
    "which the queue's bound allows": ("s", ""),
    "recovered after": ("s", "≤ 30 s"),
    "retry amplification": ("", "≤ 1.2"),
    "all final after the PSP's death": ("s", ""),
}


def tell(line: str) -> None:
    """Print a line of progress."""
    print(line, file=sys.stderr, flush=True)


def show_failure(log: Sequence[str], seed: int) -> None:
    """Print what was done, so that it can be done again."""
    tell(f"seed {seed}, commit {revision()}; what was done, by time:")
    for line in log:
        tell(f"  {line}")


def rows(outcome: Outcome) -> Iterator[tuple[str, str, str]]:
    """List what, how much, and the goal."""
    share = min(outcome.seconds, 300) / 300
    yield "payments", f"{outcome.figures.get('payments', 0):.0f}", _goal("payments", share)
    for kind, words in _KINDS.items():
        goal = _goal(kind, share) or ("> 0" if kind in MUST_STRIKE else "")
        yield words, str(outcome.struck[kind]), goal
    met = sum(bool(outcome.struck[sort]) for sort in outcome.drawn)
    yield "sorts of these that took effect", f"{met} of {len(outcome.drawn)}", "all that were drawn"
    for name, value in outcome.figures.items():
        if name != "payments":
            unit, goal = _FIGURES.get(name, ("", ""))
            yield name, f"{value:g} {unit}".strip(), goal or _goal(name, share)
    yield "violations", str(len(outcome.violations)), "0"


def _goal(name: str, share: float) -> str:
    return f"≥ {GOALS_300_S[name] * share:.0f}" if name in GOALS_300_S else ""


def show(outcome: Outcome) -> None:
    """Print the table, and everything that is wrong."""
    console = Console()
    table = Table("what", "how much", "goal", box=None)
    for row in rows(outcome):
        table.add_row(*row)
    console.print(table)
    console.print("answers:", ", ".join(f"{k} {v}" for k, v in outcome.answers.items()))
    console.print("journeys:", ", ".join(f"{k} {v}" for k, v in sorted(outcome.journeys.items())))
    for line in [*outcome.violations, *outcome.unmet][:100]:
        console.print(f"WRONG {line}", markup=False, highlight=False)
    console.print("good" if outcome.is_good else "NOT GOOD")


def write(outcome: Outcome) -> None:
    """Write benchmarks/results/chaos.json and the page."""
    write_results("chaos", list(_measures(outcome)))
    PAGE.write_text(page(outcome))
    tell(f"wrote {PAGE.name}, and chaos.json among the benchmarks' results")


def _measures(outcome: Outcome) -> Iterator[Measure]:
    payments = int(outcome.figures.get("payments", 0))
    yield Measure("chaos_payments", payments, "payments")
    yield Measure("chaos_kills", outcome.struck["kill"], "kills")
    yield Measure("chaos_violations", len(outcome.violations), "violations", payments)
    yield Measure("chaos_unmet_goals", len(outcome.unmet), "goals")
    for name, value in {**outcome.struck, **outcome.figures}.items():
        if name not in ("payments", "kill"):
            unit = _FIGURES.get(name, ("", ""))[0] or "1"
            yield Measure(f"chaos_{_snake(name)}", value, unit)


def _snake(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name.lower())


def page(outcome: Outcome) -> str:
    """Write the page that shows the last run."""
    table = "\n".join(f"| {what} | {much} | {goal} |" for what, much, goal in rows(outcome))
    verdict = "Nothing was wrong." if outcome.is_good else "It was not good: see below."
    wrong = "\n".join(f"- {line}" for line in [*outcome.violations, *outcome.unmet][:50])
    return _PAGE.format(
        seconds=f"{outcome.seconds:g}",
        seed=outcome.seed,
        commit=revision()[:12],
        table=table,
        verdict=verdict,
        wrong=f"\n{wrong}\n" if wrong else "",
    )


_PAGE = """# Chaos on the full stack

<!-- Written by `make chaos`; do not edit. -->

`make chaos SECONDS={seconds} SEED={seed}` starts a whole stack with Envoy, lets concurrent
clients pay through the edge, and meanwhile kills, pauses and cuts off everything there is, by a
schedule drawn from the seed. Then it heals everything, waits until all has come to rest, and
holds the result against the invariants and the history of all that clients were told. The last
run, at commit `{commit}`:

| what | how much | goal |
|---|---|---|
{table}

{verdict}
{wrong}
A kind of trouble that never took effect makes a run fail, and so does each sort that was drawn: it
would have proven nothing. Dead letters are one in a thousand payments at most, since all trouble
passes: whatever is laid before a person could have been brought to an end without one.

## What clients do

Payments of one to four orders to forty sellers, three of them hot, by Stripe, Adyen and PayPal,
with both failure policies, one in ten declined; holds that are captured, let go of, or both at
once. They double-click, give up early and ask again under the same key, ask again when all is
over, and use a key for something else.

## What comes after the trouble

Once all is well, one part dies after the other, and a payment is begun every 0.2 seconds until
any is final: how soon the slowest was is in the table. Then three times as many payments are
offered as the stack can take, and at last charges to a PSP that is dead.

## What the history must be

Every call is recorded: when it was made, when it was answered, and what was told. The record
replays on a simple model:

- a key makes one payment, and an order is in one payment that took money;
- no acknowledged payment is missing; what was refused has made nothing;
- the list of payments tells what the database holds, each once and with its orders;
- the same key is answered as the first time, to the letter; with another body it is refused;
- no answer is taken back: statuses move as the interface allows, in real time;
- a hold is captured or let go of, never both;
- a payment that was told COMPLETED is booked before any that was asked for later.

`python -m tests.chaos.history FILE` checks a saved history again.
"""
