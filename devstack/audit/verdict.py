"""What becomes of a check: it holds, it is violated by named offenders, or it was not checked."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from devstack.audit.facts import Facts
from devstack.audit.told import Told

SHOWN = 20


class Offence(NamedTuple):
    """Who offends, and by what: ids and amounts."""

    subject: str
    how: str


Judge = Callable[[Facts, Told], Iterable[Offence]]
Need = Callable[[Facts, Told], str]


def nothing(_: Facts, __: Told) -> str:
    """Need nothing that may be missing."""
    return ""


@dataclass(frozen=True, slots=True)
class Invariant:
    """A sentence that must be true.

    Attributes:
        judge: tells every offence.
        counted: names what was examined, and how many of it.
        needs: tells what is missing to judge it; empty when nothing is.
    """

    name: str
    statement: str
    judge: Judge
    counted: Callable[[Facts, Told], str]
    needs: Need = nothing


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an invariant.

    Attributes:
        holds: None when it was not checked.
        evidence: by what it was judged, or why it was not.
        offences: the first 20.
        offence_count: all of them.
    """

    name: str
    statement: str
    holds: bool | None
    evidence: str
    offences: tuple[Offence, ...] = ()
    offence_count: int = 0


def judge(invariant: Invariant, facts: Facts, told: Told = Told()) -> Verdict:  # noqa: B008
    """Hold the facts against one invariant."""
    missing = invariant.needs(facts, told)
    if missing:
        return Verdict(invariant.name, invariant.statement, None, f"not checked: {missing}")
    found = iter(invariant.judge(facts, told))
    first = tuple(islice(found, SHOWN))
    count = len(first) + sum(1 for _ in found)
    evidence = invariant.counted(facts, told)
    return Verdict(invariant.name, invariant.statement, not count, evidence, first, count)


def judge_all(
    invariants: Sequence[Invariant],
    facts: Facts,
    told: Told = Told(),  # noqa: B008
) -> list[Verdict]:
    """Hold the facts against several invariants."""
    return [judge(invariant, facts, told) for invariant in invariants]
