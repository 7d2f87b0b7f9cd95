"""Audits a stack: gathers the final facts of all services and of the PSPs' own record, and holds
them against the invariants.

How a test uses it, once it has driven a stack and stopped its faults::

    await quiesce(stack, deadline_s=60)             # NotQuiescent: what is still open
    facts = await gather(stack)                     # NotAudited: a read failed, or was incomplete
    told = Told(answers=[...], notices=[...])       # what only the test knows; all optional
    verdicts = judge_all(CHECKERS, facts, told)     # INV-1 to INV-17
    assert violations(verdicts) == []
    assert unchecked(verdicts) <= {"INV-14"}        # what the run knowingly did not check

`stack` is stack.json's content (`State(folder).running()`, or what `running_stack` gives): what is
used of it is `databases`, `psp_sandbox.url` and `services.ledger_svc.grpc`. A world without a real
ledger_svc process, or audit logs, passes `with_proof=False`, and INV-15 is then unchecked.

`AUDITED` is I1 to I8 and INV-15, what `paymesh audit` asks; `CHECKERS` is INV-1 to INV-17. Each is
an `Invariant`; one alone is judged by `judge(invariant, facts, told)`. A `Verdict` has `name`,
`statement`, `holds` (None: not checked), `evidence`, the first 20 `offences` (`subject`, `how`) and
`offence_count`. Facts are named tuples in a frozen dataclass (`facts.py`), so a violation is
planted by `dataclasses.replace`. What is in flight (`facts.in_flight`), or waits for a person
(`facts.dead`), is left out of what must hold at rest only; I1, I2, I5, I6 and I7 judge it too.

While faults still strike, `live.ledger_sums(url)` reads the ledger's sums in one statement: each
currency's must be zero at any moment.
"""

from collections.abc import Iterable

from devstack.audit.facts import Facts
from devstack.audit.gather import NotAudited, gather
from devstack.audit.invariants import AUDITED, CHECKERS
from devstack.audit.quiescence import NotQuiescent, lift_faults, quiesce
from devstack.audit.told import Answer, Notice, Refusal, Told
from devstack.audit.verdict import Invariant, Offence, Verdict, judge, judge_all


def violations(verdicts: Iterable[Verdict]) -> list[str]:
    """Write each violated invariant in a line, its first offenders named."""
    return [
        f"{verdict.name}: {verdict.offence_count} offences: "
        + "; ".join(f"{offence.subject} {offence.how}" for offence in verdict.offences)
        for verdict in verdicts
        if verdict.holds is False
    ]


def unchecked(verdicts: Iterable[Verdict]) -> set[str]:
    """Name the invariants that were not checked."""
    return {verdict.name for verdict in verdicts if verdict.holds is None}


__all__ = [
    "AUDITED",
    "CHECKERS",
    "Answer",
    "Facts",
    "Invariant",
    "NotAudited",
    "NotQuiescent",
    "Notice",
    "Offence",
    "Refusal",
    "Told",
    "Verdict",
    "gather",
    "judge",
    "judge_all",
    "lift_faults",
    "quiesce",
    "unchecked",
    "violations",
]
