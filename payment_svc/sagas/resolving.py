"""What persons may say of a step, and what a saga makes of their word. Pure.

Of what a PSP did, psp_gateway has to be told, so that the saga asks and hears it as from the PSP.
All else is an outcome of the step, given in the place of the one that nobody can give.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from payment_svc.domain.resolution import Decision, Resolution
from payment_svc.sagas import engine
from payment_svc.sagas.catalogue import SAGAS
from payment_svc.sagas.commands import (
    AssessPayment,
    CaptureCharge,
    Command,
    CreditWallets,
    ExecuteCharge,
    PostCapture,
    RefundCharge,
    SettleCredits,
    VoidCharge,
)
from payment_svc.sagas.journey import (
    GIVEN_BACK_ELSEWHERE_BY,
    GIVEN_UP_BY,
    Journey,
    Move,
    Queue,
)
from payment_svc.sagas.outcomes import Done, Outcome, Refused
from payment_svc.sagas.policy import RetryPolicy

GIVEN_UP = "GIVEN_UP"
_FITS: Mapping[type, tuple[Decision, ...]] = {
    ExecuteCharge: (Decision.CHARGED, Decision.NOT_CHARGED, Decision.OTHER_AMOUNT),
    CaptureCharge: (Decision.CHARGED, Decision.NOT_CHARGED, Decision.OTHER_AMOUNT),
    RefundCharge: (Decision.DONE_BY_HAND, Decision.GIVE_UP),
    VoidCharge: (Decision.DONE_BY_HAND, Decision.GIVE_UP),
    AssessPayment: (Decision.GIVE_UP,),
    CreditWallets: (Decision.GIVE_UP,),
    PostCapture: (Decision.GIVE_UP,),
    SettleCredits: (Decision.GIVE_UP,),
}


def command_of(journey: Journey) -> Command | None:
    """Tell what the present step asks of the outside; None also when it cannot even be asked."""
    try:
        return engine.command(SAGAS[journey.progress.kind], journey)
    except Exception:  # noqa: BLE001 - a bug; nothing fits it but to be let go on once it is gone
        return None


def fitting(journey: Journey) -> tuple[Decision, ...]:
    """Tell what may be said of the present step.

    What was written into wallets and books is not given up: their services answer truly, and undo.
    """
    return _FITS.get(type(command_of(journey)), ())


def may_be_resolved(journey: Journey, decision: Decision, *, at_psp: bool) -> bool:
    """Whether it stands where a person may speak: a dead letter, or, of what was done `at_psp`,
    one that waits for evidence.
    """
    queue = journey.progress.queue
    if at_psp or decision is Decision.NOT_CHARGED:
        return queue in (Queue.DEAD_LETTER, Queue.WAITING, Queue.RETRY)
    return queue is Queue.DEAD_LETTER


def concerns_psp(resolution: Resolution) -> bool:
    """Whether psp_gateway has to be told: of what was done at a PSP, and of what was not."""
    if resolution.decision is Decision.DONE_BY_HAND:
        return bool(resolution.psp_reference and resolution.attempt_id)
    return resolution.decision.moved_money or resolution.decision is Decision.NOT_CHARGED


def resolve(journey: Journey, resolution: Resolution, policy: RetryPolicy, now: datetime) -> Move:
    """Take the step that the persons' word amounts to. Whoever claims the saga next goes on."""
    saga = SAGAS[journey.progress.kind]
    move = engine.advance(
        saga,
        journey.with_progress(queue=Queue.PAYMENT),
        _outcome(journey, resolution, is_turnable=saga.fail is not None),
        started_at=now,
        now=now,
        chance=0.0,
        policy=policy,
    )
    told = replace(move.entries[0], detail=f"{resolution.decision} by {resolution.resolution_id}")
    after = move.after
    if after.progress.is_runnable:
        after = after.with_progress(queue=Queue.RETRY, due_after=timedelta(0))
    return replace(move, before=journey, after=after, entries=(told, *move.entries[1:]))


def _outcome(journey: Journey, resolution: Resolution, *, is_turnable: bool) -> Outcome:
    going_back = journey.progress.turned_round
    is_psp_step = isinstance(command_of(journey), RefundCharge | VoidCharge)
    if resolution.decision is Decision.GIVE_UP and not going_back and not is_psp_step:
        if is_turnable:
            return Refused(GIVEN_UP, "It was given up, and nothing was kept.")
        return Done()
    if resolution.decision is Decision.GIVE_UP:
        return Done({GIVEN_UP_BY: resolution.resolution_id})
    if not resolution.psp_reference:
        return Done({GIVEN_BACK_ELSEWHERE_BY: resolution.resolution_id})
    return Done({"resolved_reference": resolution.psp_reference})
