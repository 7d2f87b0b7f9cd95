"""RetrySagas: a person lets many dead letters go on, so many a second."""

from datetime import datetime, timedelta

from payment_svc.domain.actor import Actor
from payment_svc.operations.ports import Bulk, Chosen, LetOn, OperatorStore
from payment_svc.sagas.journey import Progress
from payment_svc.use_cases.retry_saga import let_on


async def retry_sagas(
    bulk: Bulk,
    reason: str,
    *,
    gap: timedelta,
    offset: timedelta,
    store: OperatorStore,
    actor: Actor,
    now: datetime,
) -> Chosen:
    """Let dead letters go on, the longest dead first, each `gap` after the one before and the first
    after `offset`. Each has its own line in its journal and in the trail of operators.
    """

    def decide(number: int, progress: Progress) -> LetOn:
        return let_on(progress, actor, reason, now, offset + number * gap)

    return await store.let_on_many(bulk, decide)
