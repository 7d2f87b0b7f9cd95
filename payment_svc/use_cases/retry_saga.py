"""RetrySaga: a person lets a saga go on, under the ids of the first time."""

from dataclasses import replace
from datetime import datetime, timedelta

from payment_svc.domain.actor import Actor
from payment_svc.domain.errors import SagaMoved, SagaNotFound, SagaNotRetryable
from payment_svc.domain.operator_action import OperatorAction, OperatorActionKind
from payment_svc.operations.ports import LetOn, OperatorStore
from payment_svc.ports import SagaView
from payment_svc.sagas import engine
from payment_svc.sagas.journey import AT_ONCE, Entry, Journey, Progress, Queue
from payment_svc.sagas.policy import RetryPolicy
from payment_svc.sagas.retrying import RetryPlan, may_be_retried, plan_retry


async def plan_saga_retry(
    saga_id: str, *, store: OperatorStore, policy: RetryPolicy, now: datetime
) -> tuple[SagaView, RetryPlan]:
    """Tell what a saga would do if it were let go on; nothing is changed.

    Raises:
        SagaNotFound: no such saga.
        SagaNotRetryable: a worker has it, it is done, or its day has not come.
    """
    found = await store.find(saga_id)
    if found is None:
        raise SagaNotFound(saga_id)
    view, journey = found
    _require_retryable(journey.progress)
    return view, plan_retry(journey, policy, now)


async def retry_saga(
    saga_id: str,
    expected_epoch: int,
    reason: str,
    *,
    store: OperatorStore,
    actor: Actor,
    policy: RetryPolicy,
    now: datetime,
) -> tuple[SagaView, RetryPlan]:
    """Let a saga go on, and keep who did it and why; tell what it does next.

    Raises:
        SagaNotFound: no such saga.
        SagaMoved: its epoch is another by now; nothing is changed.
        SagaNotRetryable: a worker has it, it is done, or its day has not come.
    """
    plans: list[RetryPlan] = []

    def decide(journey: Journey) -> LetOn:
        progress = journey.progress
        if progress.epoch != expected_epoch:
            raise SagaMoved(saga_id, progress.epoch)
        _require_retryable(progress)
        plans.append(plan_retry(journey, policy, now))
        return let_on(progress, actor, reason, now)

    view = await store.let_on(saga_id, decide)
    if view is None:
        raise SagaNotFound(saga_id)
    return view, plans[-1]


def let_on(
    progress: Progress, actor: Actor, reason: str, now: datetime, due_after: timedelta = AT_ONCE
) -> LetOn:
    """Make what lets a saga go on write: a dead letter begins its step anew, with a new budget;
    another is only due sooner. Its ids are the step's, and stay.
    """
    after = replace(
        progress,
        epoch=progress.epoch + 1,
        journal_length=progress.journal_length + 1,
        due_after=due_after,
    )
    if progress.queue is Queue.DEAD_LETTER:
        memory = engine.forget_tries(progress)
        after = replace(after, queue=Queue.RETRY, tries=0, step_since=now, memory=memory)
    entry = Entry(
        sequence=after.journal_length,
        step=progress.step,
        action="undo" if progress.turned_round else "do",
        outcome="let_on",
        detail=f"by {actor}",
        definition_version=progress.definition_version,
        started_at=now,
        finished_at=now,
    )
    action = OperatorAction(
        at=now,
        actor=actor,
        kind=OperatorActionKind.RETRY,
        payment_id=progress.payment_id,
        saga_id=progress.saga_id,
        reason=reason,
        before=state_of(progress),
        after=state_of(after),
    )
    return LetOn(after, entry, action)


def state_of(progress: Progress) -> dict[str, str]:
    """Tell where a saga stands, for the trail of operators."""
    return {
        "queue": progress.queue.value,
        "step": progress.step,
        "action": "undo" if progress.turned_round else "do",
        "tries": str(progress.tries),
        "reason": progress.reason,
        "epoch": str(progress.epoch),
    }


def _require_retryable(progress: Progress) -> None:
    if not may_be_retried(progress):
        raise SagaNotRetryable(progress.saga_id, progress.queue, progress.reason)
