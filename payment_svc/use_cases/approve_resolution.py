"""ApproveResolution: a second person agrees, and what was proposed is made true.

Three moments, each safe to die after: the approval is stored; psp_gateway is told, where money at a
PSP is meant; the saga goes on. Whoever finds an approved resolution goes on from there.
"""

from dataclasses import replace
from datetime import datetime
from functools import partial

from payment_svc.domain.actor import Actor
from payment_svc.domain.errors import ResolutionNotFound
from payment_svc.domain.operator_action import OperatorAction, OperatorActionKind
from payment_svc.domain.resolution import Decision, Resolution, ResolutionStatus
from payment_svc.operations.ports import Attempts, AttemptWord, Concluded, ResolutionStore
from payment_svc.sagas.journey import Journey
from payment_svc.sagas.policy import RetryPolicy
from payment_svc.sagas.resolving import concerns_psp, resolve
from payment_svc.sagas.retrying import may_be_retried
from payment_svc.use_cases.resolve_saga import trail_of
from payment_svc.use_cases.retry_saga import let_on

# psp_gateway knows nothing of it, or that it was refused: then it was done elsewhere.
_NEVER_ASKED = "ATTEMPT_NOT_FOUND"
# Why an attempt was declined of which two persons said that the PSP took another amount.
_OTHER_AMOUNT = "AMOUNT_MISMATCH"
_NOT_DONE = (Decision.NOT_CHARGED, Decision.OTHER_AMOUNT)


async def approve_resolution(
    resolution_id: str,
    reason: str,
    *,
    store: ResolutionStore,
    actor: Actor,
    certified_only: bool,
    now: datetime,
) -> Resolution:
    """Store the approval; it still has to be applied.

    Raises:
        UnverifiedOperator: `certified_only`, and no certificate names him, or the proposer.
        ResolutionNotFound: no such resolution.
        SecondPersonNeeded: who approves has proposed it.
        ResolutionNotOpen: it was decided otherwise, or has expired.
    """

    def decide(before: Resolution) -> tuple[Resolution, OperatorAction | None]:
        if certified_only:
            before.proposed_by.require_verified()
            actor.require_verified()
        after = before.approve(actor, now)
        if after is before:
            return before, None
        return after, trail_of(after, OperatorActionKind.APPROVE, actor, reason, now)

    approved = await store.decide(resolution_id, decide)
    if approved is None:
        raise ResolutionNotFound(resolution_id)
    return approved


async def ask_gateway(resolution: Resolution, attempts: Attempts) -> AttemptWord | None:
    """Have psp_gateway record what a resolution says of an attempt; None where none is meant.

    Raises:
        Unavailable: nobody answered; asking again is safe.
    """
    if not concerns_psp(resolution):
        return None
    return await attempts.resolve(resolution, is_done=resolution.decision not in _NOT_DONE)


def is_given_back(resolution: Resolution, word: AttemptWord | None) -> bool:
    """Whether the PSP's charge is of another amount, and kept as a late one, to be given back."""
    is_other = resolution.decision is Decision.OTHER_AMOUNT
    return is_other and word is not None and word.reason == _OTHER_AMOUNT


async def apply_resolution(
    resolution: Resolution,
    word: AttemptWord | None,
    *,
    store: ResolutionStore,
    policy: RetryPolicy,
    now: datetime,
) -> Resolution:
    """Let the saga go on by an approved resolution, once, whoever else tries the same.

    Raises:
        Aborted: the payment was changed meanwhile; try again.
    """
    decide = partial(conclude, word=word, policy=policy, now=now)
    return await store.conclude(resolution.resolution_id, decide) or resolution


def conclude(
    resolution: Resolution,
    journey: Journey,
    *,
    word: AttemptWord | None,
    policy: RetryPolicy,
    now: datetime,
) -> Concluded:
    """Decide what comes of an approved resolution; one that is applied already stays as it is."""
    if resolution.status is not ResolutionStatus.APPROVED:
        return Concluded(resolution)
    if word is None or _was_done_elsewhere(resolution, word):
        return _by_word_alone(resolution, journey, policy, now)
    if not word.outcome:
        ended = resolution.end(ResolutionStatus.CONTRADICTED, word.message or word.refusal)
        return Concluded(ended, action=_trail(ended, journey, None, now))
    agrees = _agrees(resolution, word)
    status = ResolutionStatus.APPLIED if agrees else ResolutionStatus.CONTRADICTED
    note = _KEPT[resolution.decision] if agrees else f"The PSP says that it has {word.outcome}"
    if not may_be_retried(journey.progress):
        ended = resolution.end(status, f"{note}; the saga has gone on by itself.")
        return Concluded(ended, action=_trail(ended, journey, None, now))
    ended = resolution.end(status, f"{note}; the saga goes on by that.")
    actor = resolution.decided_by or resolution.proposed_by
    let = let_on(journey.progress, actor, resolution.reason, now)
    action = _trail(ended, journey, replace(journey, progress=let.progress), now)
    return Concluded(ended, let_on=let, action=action)


_KEPT = dict.fromkeys(Decision, "psp_gateway keeps it") | {
    Decision.OTHER_AMOUNT: "What the PSP took is given back, as a late success"
}


def _agrees(resolution: Resolution, word: AttemptWord) -> bool:
    """Whether psp_gateway keeps what was said of the attempt."""
    if resolution.decision is Decision.OTHER_AMOUNT:
        return is_given_back(resolution, word)
    expected = "DECLINED" if resolution.decision is Decision.NOT_CHARGED else "SUCCEEDED"
    return word.outcome == expected


def _was_done_elsewhere(resolution: Resolution, word: AttemptWord) -> bool:
    """Whether what was done by hand is nothing that psp_gateway has under way."""
    by_hand = resolution.decision is Decision.DONE_BY_HAND
    return by_hand and (word.refusal == _NEVER_ASKED or word.outcome == "DECLINED")


def _by_word_alone(
    resolution: Resolution, journey: Journey, policy: RetryPolicy, now: datetime
) -> Concluded:
    if journey.progress.epoch != resolution.saga_epoch:
        ended = resolution.end(
            ResolutionStatus.CONTRADICTED, "The saga has moved since; look at it again."
        )
        return Concluded(ended, action=_trail(ended, journey, None, now))
    move = resolve(journey, resolution, policy, now)
    ended = resolution.end(ResolutionStatus.APPLIED, "The saga goes on by it.")
    return Concluded(ended, move=move, action=_trail(ended, journey, move.after, now))


def _trail(
    resolution: Resolution, journey: Journey, after: Journey | None, now: datetime
) -> OperatorAction:
    actor = resolution.decided_by or resolution.proposed_by
    kind = OperatorActionKind.APPLY
    return trail_of(resolution, kind, actor, resolution.note, now, journey, after)
