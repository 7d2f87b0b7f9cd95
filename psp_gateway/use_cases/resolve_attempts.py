"""ResolveAttempts: record what two persons found out, unless the PSP tells otherwise."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from psp_gateway.domain.answer import Absent, Verdict
from psp_gateway.domain.attempt import Attempt, Outcome, Stage
from psp_gateway.domain.errors import NoSuchAttempt, Refusal
from psp_gateway.domain.hosted_page import Reply
from psp_gateway.domain.resolution import (
    AttemptResolution,
    is_of_other_amount,
    is_overdue,
    objection,
    resolved,
)
from psp_gateway.ports import BY_HAND, AttemptReader, Exchange
from psp_gateway.use_cases.late_success import keep_late
from psp_gateway.use_cases.look_again import keep
from psp_gateway.use_cases.take_further import Means, look_up

_TRACE_MAX = 500


async def resolve_attempts(
    means: Means, reader: AttemptReader, batch: Sequence[AttemptResolution]
) -> Sequence[Attempt | Refusal]:
    """Resolve attempts, each by itself; answer each as it then stands, or why it was left.

    Raises:
        Unavailable: the store did not answer; asking again is safe.
    """
    return await asyncio.gather(*(_resolve(means, reader, said) for said in batch))


async def _resolve(
    means: Means, reader: AttemptReader, said: AttemptResolution
) -> Attempt | Refusal:
    attempt = await _find(reader, said.attempt_id)
    if attempt is None:
        return NoSuchAttempt(said.attempt_id)
    if attempt.outcome.is_final:
        return await _with_other(means, said, attempt)
    answer = await _look_once_more(means, attempt)
    if _tells(answer):
        await keep(means, attempt, answer, was_told=False)
        attempt = await _find(reader, said.attempt_id) or attempt
        if attempt.outcome.is_final:
            return attempt
    can_be_asked = means.knows(attempt) and means.patience(attempt).can_look_up
    overdue = is_overdue(attempt, means.clock(), can_be_asked=can_be_asked)
    against = objection(said, attempt, answer, can_be_asked=can_be_asked, is_overdue=overdue)
    if against is not None:
        return against
    await means.faults.reach("psp.resolving")
    who = f"proposed by {said.proposed_by}, approved by {said.approved_by}: {said.evidence}"
    exchange = Exchange(BY_HAND, said.outcome.value, who[:_TRACE_MAX])
    # Stored over what was read alone: whoever learned something meanwhile comes first, and is
    # answered.
    saved = await means.store.save(resolved(said, attempt, means.clock()), exchange)
    await means.faults.reach("psp.resolved")
    return await _with_other(means, said, saved.attempt)


async def _with_other(means: Means, said: AttemptResolution, attempt: Attempt) -> Attempt:
    """Keep the other amount that was taken as a late charge, once; answer the attempt as it stands.

    The attempt has ended before: should the PSP change its word in between, the charge is kept as
    the PSP then tells of it.
    """
    if said.other_amount is None or not is_of_other_amount(said, attempt):
        return attempt
    now = means.clock()
    taken = replace(attempt, amount=said.other_amount)
    told = Verdict(Outcome.SUCCEEDED, reference=said.psp_reference)
    await keep_late(means, taken, attempt.psp, told, now)
    await means.faults.reach("psp.late_kept")
    return attempt


async def _find(reader: AttemptReader, attempt_id: str) -> Attempt | None:
    return next(iter(await reader.find([attempt_id])), None)


async def _look_once_more(means: Means, attempt: Attempt) -> Reply:
    if not means.knows(attempt) or attempt.stage is Stage.OPEN:
        return Absent()  # its PSP is not configured any more, or nobody has the page's address
    return await look_up(means, attempt)


def _tells(answer: Reply) -> bool:
    """Whether the PSP says what became of it, or that it waits for somebody."""
    if not isinstance(answer, Verdict) or answer.about_request:
        return False
    return answer.outcome not in (Outcome.UNKNOWN, Outcome.TRANSIENT)
