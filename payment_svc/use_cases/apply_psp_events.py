"""ApplyPspEvents: what PSPs told. Sagas that wait look at once; what was charged after it had been
given up begins to be given back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto

from chassis.errors import Unavailable
from payment_svc.domain.testimony import Attempt
from payment_svc.ports import LateSagas, PaymentStore, SagaStore, SagaView, Witnesses
from payment_svc.sagas import engine, late_success
from payment_svc.sagas.journey import Queue

_TAKING = ("CHARGE", "CAPTURE", "AUTHORIZATION")


class Standing(Enum):
    """How the sagas of a payment stand to a charge that has succeeded."""

    ACCOUNTED = auto()  # one knows of it, or will ask and learn of it
    UNDECIDED = auto()  # one is at it just now, and may be about to give it up
    LATE = auto()  # all have given it up, or none has ever heard of it


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of news: sagas woken, payments to be told of once more, late charges found, and why
    some payments could not be judged: by payment, the class of the error.
    """

    woken: int
    undecided: tuple[str, ...] = ()
    late: int = 0
    failed: Mapping[str, str] = field(default_factory=dict)


async def apply_psp_events(
    payment_ids: Sequence[str],
    doubtful_ids: Sequence[str],
    *,
    payments: PaymentStore,
    sagas: SagaStore,
    late_sagas: LateSagas,
    witnesses: Witnesses,
    now: datetime,
) -> Applied:
    """Wake who waits, and begin to give back what nobody waits for any more. A payment that cannot
    be judged, such as one whose row cannot be read, is undecided, and no other's concern.

    Args:
        payment_ids: those with news.
        doubtful_ids: those of them of which an attempt was charged after a no, a not-now or doubt.
        payments: where payments rest.
        sagas: the sagas of before.
        late_sagas: where those of late charges begin.
        witnesses: who knows what PSPs have done.
        now: when the sagas begin.

    Raises:
        Unavailable: psp_gateway did not tell what was charged; telling again is safe.
    """
    undecided: list[str] = []
    failed: dict[str, str] = {}
    late = 0
    for payment_id in doubtful_ids:
        try:
            # Sagas are read before those that wait are woken: one that waits now asks after this.
            views, _ = await sagas.explain(payment_id)
            charged = [a for a in await witnesses.attempts(payment_id) if is_charged(a)]
            standings = [(attempt, standing(attempt, views)) for attempt in charged]
            if any(how is Standing.UNDECIDED for _, how in standings):
                undecided.append(payment_id)
            for attempt in (a for a, how in standings if how is Standing.LATE):
                late += await _begin(payment_id, attempt, payments, late_sagas, now)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - one payment must not stop the others
            failed[payment_id] = type(error).__name__
    woken = await sagas.wake(payment_ids)
    retold = tuple(dict.fromkeys([*undecided, *failed]))
    return Applied(woken + late, retold, late, failed)


def is_charged(attempt: Attempt) -> bool:
    """Whether an attempt has taken money, or has it held."""
    return attempt.outcome == "SUCCEEDED" and attempt.kind in _TAKING


def standing(attempt: Attempt, views: Sequence[SagaView]) -> Standing:
    """Tell how the sagas of a payment stand to a charge."""
    memories = [view.progress.memory for view in views]
    if any(memory.get("late_attempt_id") == attempt.attempt_id for memory in memories):
        return Standing.ACCOUNTED
    for view in views:
        if view.progress.memory.get("charge_attempt_id") == attempt.attempt_id:
            return _standing(view)
    return Standing.LATE


def _standing(view: SagaView) -> Standing:
    progress = view.progress
    if "psp_reference" in progress.memory or "expires_at" in progress.memory:
        return Standing.ACCOUNTED
    if progress.turned_round or progress.queue is Queue.DONE:
        return Standing.LATE
    # One that waits, or that a person lets go on, asks and learns of it.
    return Standing.UNDECIDED if progress.queue is Queue.PAYMENT else Standing.ACCOUNTED


async def _begin(
    payment_id: str, attempt: Attempt, payments: PaymentStore, late_sagas: LateSagas, now: datetime
) -> int:
    payment = await payments.find(payment_id)
    if payment is None:
        return 0
    saga_id = late_success.saga_id(attempt.attempt_id)
    begun = engine.begin(
        late_success.LATE_SUCCESS,
        saga_id,
        payment,
        now,
        memory=late_success.facts_of(attempt),
    )
    return int(await late_sagas.begin_once(begun))
