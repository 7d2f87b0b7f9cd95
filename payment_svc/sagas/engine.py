"""The saga engine: a pure step function. It decides; only the coordinator awaits.

A saga runs its steps in order. A definite no turns it round: the undos of the step itself and of
all steps before it run in reverse, then its orders fail. Undos are idempotent and may find nothing
to undo.
"""

from collections.abc import Mapping
from datetime import datetime

from payment_svc.domain.payment import Payment
from payment_svc.sagas.commands import Command
from payment_svc.sagas.journey import (
    AT_ONCE,
    IN_TROUBLE,
    LAST_TRY,
    UNKNOWN_SINCE,
    WAS_UNKNOWN,
    Entry,
    Journey,
    Move,
    Progress,
    Queue,
    Saga,
)
from payment_svc.sagas.outcomes import Again, Done, Outcome, Refused, Stuck, Waiting
from payment_svc.sagas.policy import RetryPolicy
from payment_svc.sagas.retry import EXPONENTIAL, Cancel

_OF_STEP = (
    WAS_UNKNOWN,
    UNKNOWN_SINCE,
    IN_TROUBLE,
)  # what is forgotten when another step is entered


def begin(
    saga: Saga,
    saga_id: str,
    payment: Payment,
    now: datetime,
    *,
    order_id: str | None = None,
    due_at: datetime | None = None,
    memory: Mapping[str, str] | None = None,
) -> Progress:
    """Make the row of a new saga over a payment, or over one order of it; due at once, or WAITING
    until `due_at`. `memory` is what it knows from the beginning.
    """
    waits = due_at is not None and due_at > now
    return Progress(
        saga_id=saga_id,
        kind=saga.kind,
        definition_version=saga.version,
        payment_id=payment.payment_id,
        order_id=order_id,
        step=saga.steps[0].name,
        step_since=now,
        created_at=now,
        queue=Queue.WAITING if waits else Queue.PAYMENT,
        due_after=due_at - now if due_at is not None and waits else AT_ONCE,
        reason="NOT_DUE" if waits else "",
        memory=memory or {},
    )


def take_up(saga: Saga, journey: Journey) -> Journey:
    """Start a saga that has done nothing yet; a later claim changes nothing."""
    return journey if journey.progress.journal_length else saga.start(journey)


def command(saga: Saga, journey: Journey) -> Command | None:
    """Tell what the present step asks of the outside."""
    step = saga.step(journey.progress.step)
    return step.undo(journey) if journey.progress.turned_round else step.do(journey)


def advance(
    saga: Saga,
    journey: Journey,
    outcome: Outcome,
    *,
    started_at: datetime,
    now: datetime,
    chance: float,
    policy: RetryPolicy,
) -> Move:
    """Decide what an outcome of the present step changes.

    Steps that ask nothing of the outside are taken in the same move.
    """
    moved, entries = (
        _one(saga, journey, outcome, started_at, now, chance, policy),
        [_entry(journey, outcome, started_at, now)],
    )
    while moved.progress.is_runnable and command(saga, moved) is None:
        entries.append(_entry(moved, Done(), now, now))
        moved = _one(saga, moved, Done(), now, now, chance, policy)
    finished = moved.progress.queue is Queue.DONE and not moved.progress.turned_round
    return Move(journey, moved, tuple(entries), saga.then if finished else None)


def _one(
    saga: Saga,
    journey: Journey,
    outcome: Outcome,
    started_at: datetime,
    now: datetime,
    chance: float,
    policy: RetryPolicy,
) -> Journey:
    progress = journey.progress
    counted = not (isinstance(outcome, Again) and outcome.is_put_off)
    journey = journey.with_progress(
        tries=progress.tries + counted, journal_length=progress.journal_length + 1
    )
    if not progress.turned_round:
        journey = saga.step(progress.step).on(journey, outcome, now)
    match outcome:
        case Done():
            return _onward(saga, journey.remember(**outcome.facts), now)
        case Refused() if saga.fail is not None and not progress.turned_round:
            return _turn_round(saga, journey, outcome, now)
        case Refused():
            return _dead(journey, f"refused: {outcome.reason}")
        case Stuck():
            return _dead(journey, outcome.reason)
        case Again():
            return _again(saga, journey, outcome, now, chance, policy)
        case Waiting():
            return _wait(journey, outcome, now, chance, policy)


def _onward(saga: Saga, journey: Journey, now: datetime) -> Journey:
    """Go to the next step, or back to the one before."""
    index = _next(saga, journey)
    if index == len(saga.steps):
        return journey.with_progress(queue=Queue.DONE, reason="")
    if index < 0:
        ended = saga.fail(journey, now) if saga.fail else journey
        return ended.with_progress(queue=Queue.DONE)
    return _enter(saga, journey, index, now)


def _next(saga: Saga, journey: Journey) -> int:
    """Find the place of the step to go to, beyond detours that ask for nothing."""
    back = journey.progress.turned_round
    towards = -1 if back else 1
    index = saga.index(journey.progress.step) + towards
    while 0 <= index < len(saga.steps) and saga.steps[index].is_detour:
        if back and saga.steps[index].undo(journey) is not None:
            break
        index += towards
    return index


def _enter(saga: Saga, journey: Journey, index: int, now: datetime) -> Journey:
    step = saga.steps[index]
    journey = journey.with_progress(
        step=step.name,
        queue=Queue.PAYMENT,
        tries=0,
        step_since=now,
        due_after=AT_ONCE,
        reason="",
        memory={k: told for k, told in journey.progress.memory.items() if k not in _OF_STEP},
    )
    if journey.progress.turned_round:
        return journey
    if isinstance(step.retry, Cancel):
        # Whoever makes the try is told that there will be no other, and says yes or no for good.
        journey = journey.remember(**{LAST_TRY: "true"})
    return step.enter(journey)


def _turn_round(saga: Saga, journey: Journey, refusal: Refused, now: datetime) -> Journey:
    """Begin to undo with the refused step itself: a part of it may have happened."""
    journey = journey.remember(
        failure_reason=refusal.reason,
        failure_message=refusal.message,
        failure_psp_code=refusal.psp_code,
    )
    journey = journey.with_progress(turned_round=True)
    return _enter(saga, journey, saga.index(journey.progress.step), now)


def _again(
    saga: Saga,
    journey: Journey,
    trouble: Again,
    now: datetime,
    chance: float,
    policy: RetryPolicy,
) -> Journey:
    if trouble.from_psp and not trouble.is_put_off and not journey.progress.turned_round:
        journey = _count_psp(journey)
    progress = journey.progress
    step = saga.step(progress.step)
    # A step's own strategy is that of its doing: what is undone is undone in the end, and what was
    # put off was not tried.
    own = not progress.turned_round and not trouble.is_put_off
    strategy = step.retry if own else EXPONENTIAL
    pause = strategy.pause(max(progress.tries, 1), chance)
    # Once it was unknown whether money moved, only evidence ends it, never a number of tries.
    is_sure = trouble.from_psp and not progress.turned_round and not progress.is_unknown
    may_give_up = is_sure and saga.fail is not None and not step.is_patient
    if may_give_up and _psp_tries(journey) >= policy.psp_tries_max - 1:
        # We do not give up by ourselves: a try that is still on its way would charge after all.
        # Who makes the tries is told that the next is the last, and then says no for good.
        journey = journey.remember(**{LAST_TRY: "true"})
    # What was put off was not tried: time alone fails it no more than it does the others' tries.
    is_over = now - progress.step_since > policy.budget and not trouble.is_put_off
    if pause is None or is_over:
        return _dead(journey, trouble.reason)
    journey = _note_trouble(journey, is_ours=not trouble.from_psp)
    due_after = policy.due_after(pause, trouble.after, from_psp=trouble.from_psp)
    return journey.with_progress(queue=Queue.RETRY, due_after=due_after, reason=trouble.reason)


def _note_trouble(journey: Journey, *, is_ours: bool) -> Journey:
    """Remember whether the next try is one that is made again at one of our own services."""
    if is_ours is journey.progress.is_in_trouble:
        return journey
    memory = {k: told for k, told in journey.progress.memory.items() if k != IN_TROUBLE}
    return journey.with_progress(memory=memory | ({IN_TROUBLE: "true"} if is_ours else {}))


def _count_psp(journey: Journey) -> Journey:
    """Count a try that the PSP itself answered: what our own services could not do is no try."""
    name = f"psp_tries_{journey.progress.step}"
    return journey.remember(**{name: str(_psp_tries(journey) + 1)})


def _psp_tries(journey: Journey) -> int:
    return int(journey.progress.memory.get(f"psp_tries_{journey.progress.step}", "0"))


def forget_tries(progress: Progress) -> Mapping[str, str]:
    """Tell what a saga remembers when its step begins anew: all but how often the PSP was asked."""
    forgotten = (LAST_TRY, f"psp_tries_{progress.step}")
    return {name: fact for name, fact in progress.memory.items() if name not in forgotten}


def _wait(
    journey: Journey, waiting: Waiting, now: datetime, chance: float, policy: RetryPolicy
) -> Journey:
    """Look again later. Time alone fails nothing: when patience ends, a person is asked."""
    journey = _note_trouble(journey, is_ours=False)
    progress = journey.progress
    patience = policy.debit_budget if waiting.slow else policy.action_budget
    patience = policy.unknown_budget if waiting.unknown else patience
    if waiting.unknown and not progress.is_unknown:
        journey = journey.remember(**{WAS_UNKNOWN: "true", UNKNOWN_SINCE: now.isoformat()})
    if now - progress.step_since > patience:
        return _dead(journey, waiting.reason)
    return journey.with_progress(
        queue=Queue.WAITING,
        due_after=policy.look_again(progress.tries, chance, waiting.after, slow=waiting.slow),
        reason=waiting.reason,
    )


def _dead(journey: Journey, reason: str) -> Journey:
    return journey.with_progress(queue=Queue.DEAD_LETTER, reason=reason)


_OUTCOMES = {Done: "done", Refused: "refused", Again: "retry", Waiting: "wait", Stuck: "dead"}


def _entry(journey: Journey, outcome: Outcome, started_at: datetime, now: datetime) -> Entry:
    progress = journey.progress
    return Entry(
        sequence=progress.journal_length + 1,
        step=progress.step,
        action="undo" if progress.turned_round else "do",
        outcome=_OUTCOMES[type(outcome)],
        detail=outcome.detail if isinstance(outcome, Done) else outcome.reason,
        definition_version=progress.definition_version,
        started_at=started_at,
        finished_at=now,
    )
