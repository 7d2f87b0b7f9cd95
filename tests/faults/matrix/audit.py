"""The end of a lane: all of it at rest, held against every invariant, offenders named by case."""

from collections.abc import Sequence

from devstack.audit import CHECKERS, Told, gather, judge_all, quiesce, unchecked
from tests.faults.matrix.lane import Lane
from tests.faults.matrix.play import Played

# What needs the answers to clients, planted secrets, or refused requests is checked elsewhere.
_ELSEWHERE = {"INV-7", "INV-10", "INV-16", "INV-17"}
_DEADLINE_S = 60.0


async def audit(lane: Lane, played: Sequence[tuple[int, Played]]) -> list[tuple[int, str]]:
    """Audit a lane; tell of each violation by the number of the case that it is about, or of the
    last one where it names none of them.

    Raises:
        NotQuiescent, NotAudited: the lane did not come to rest, or cannot be read whole.
    """
    stack = lane.place.described()
    await quiesce(stack, deadline_s=_DEADLINE_S, steady_s=1.0)
    facts = await gather(stack)
    verdicts = judge_all(CHECKERS, facts, Told(notices=lane.tellings.notices))
    if missing := unchecked(verdicts) - _ELSEWHERE:
        raise AssertionError(f"not checked: {missing}")
    return [
        (_about(offence.subject + offence.how, played), f"{v.name}: {v.statement}: {offence}")
        for v in verdicts
        for offence in v.offences
    ]


def _about(text: str, played: Sequence[tuple[int, Played]]) -> int:
    named = (n for n, one in played if one.payment_id and one.payment_id in text)
    return next(named, played[-1][0])
