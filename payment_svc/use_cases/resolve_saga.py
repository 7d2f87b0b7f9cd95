"""ResolveSaga: a person proposes what became of a step; another one has to approve it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis.errors import InvalidRequest
from chassis.money import Money
from payment_svc.domain.actor import Actor
from payment_svc.domain.errors import ResolutionUnfit, SagaNotFound
from payment_svc.domain.operator_action import OperatorAction, OperatorActionKind
from payment_svc.domain.resolution import Decision, Resolution
from payment_svc.operations.ports import ResolutionStore
from payment_svc.sagas.commands import Command, RefundCharge, VoidCharge
from payment_svc.sagas.journey import Journey, Queue
from payment_svc.sagas.resolving import command_of, fitting, may_be_resolved
from payment_svc.sagas.retrying import attempt_of
from payment_svc.use_cases.retry_saga import state_of


@dataclass(frozen=True, slots=True)
class Said:
    """What a person says of a saga's step."""

    saga_id: str
    decision: Decision
    evidence: str
    reason: str
    psp_reference: str = ""
    amount: Money | None = None
    evidence_link: str = ""


async def resolve_saga(
    said: Said,
    *,
    store: ResolutionStore,
    actor: Actor,
    certified_only: bool,
    resolution_id: str,
    now: datetime,
    expires_after: timedelta,
) -> Resolution:
    """Propose; nothing is changed by it but that the proposal is there.

    Raises:
        UnverifiedOperator: `certified_only`, and no certificate names who proposes.
        SagaNotFound: no such saga.
        ResolutionUnfit: that cannot be said of the step at which the saga stands.
        ResolutionPending: another proposal is open.
        InvalidRequest: what the decision needs is missing, or it has what it must not have.
    """
    _check(said)
    if certified_only:
        actor.require_verified()

    def decide(journey: Journey) -> tuple[Resolution, OperatorAction]:
        _require_fit(said, journey)
        progress, command = journey.progress, command_of(journey)
        proposal = Resolution(
            resolution_id=resolution_id,
            saga_id=said.saga_id,
            payment_id=progress.payment_id,
            saga_epoch=progress.epoch,
            step=progress.step,
            action="undo" if progress.turned_round else "do",
            attempt_id=attempt_of(command),
            decision=said.decision,
            evidence=said.evidence,
            reason=said.reason,
            proposed_by=actor,
            proposed_at=now,
            expires_at=now + expires_after,
            psp_reference=said.psp_reference,
            amount=said.amount or (_whole(command) if said.psp_reference else None),
            evidence_link=said.evidence_link,
        )
        return proposal, trail_of(proposal, OperatorActionKind.PROPOSE, actor, said.reason, now)

    proposal = await store.propose(said.saga_id, decide)
    if proposal is None:
        raise SagaNotFound(said.saga_id)
    return proposal


def trail_of(
    resolution: Resolution,
    kind: OperatorActionKind,
    actor: Actor,
    reason: str,
    now: datetime,
    journey: Journey | None = None,
    after: Journey | None = None,
) -> OperatorAction:
    """Write for the trail what was done about a resolution, and to its saga if anything was."""
    told = {
        "resolution_id": resolution.resolution_id,
        "decision": resolution.decision.value,
        "status": resolution.status.value,
        "psp_reference": resolution.psp_reference,
        "amount": "" if resolution.amount is None else f"{resolution.amount}",
    }
    return OperatorAction(
        at=now,
        actor=actor,
        kind=kind,
        payment_id=resolution.payment_id,
        saga_id=resolution.saga_id,
        resolution_id=resolution.resolution_id,
        reason=reason,
        before={} if journey is None else state_of(journey.progress),
        after=told | ({} if after is None else state_of(after.progress)),
    )


def _check(said: Said) -> None:
    """Hold what is said against itself.

    Raises:
        InvalidRequest: naming the field.
    """
    moved = said.decision.moved_money
    if moved and not said.psp_reference:
        raise InvalidRequest.field("psp_reference", "is what the money is known by at the PSP")
    if moved and said.amount is None:
        raise InvalidRequest.field("amount", "says how much was taken")
    if said.decision in (Decision.NOT_CHARGED, Decision.GIVE_UP) and said.psp_reference:
        raise InvalidRequest.field("psp_reference", f"has no place in {said.decision}")
    if said.amount is not None and not moved:
        raise InvalidRequest.field("amount", f"has no place in {said.decision}")


def _whole(command: Command | None) -> Money | None:
    """Tell what was to be given back or let go of: what was done by hand, was done whole."""
    return command.amount if isinstance(command, RefundCharge | VoidCharge) else None


def _require_fit(said: Said, journey: Journey) -> None:
    fits = fitting(journey)
    step = journey.progress.step
    if said.decision not in fits:
        raise ResolutionUnfit(said.saga_id, step, f"{said.decision} is no end of it", fits)
    if not may_be_resolved(journey, said.decision, at_psp=bool(said.psp_reference)):
        queue = journey.progress.queue
        is_held = queue is Queue.PAYMENT
        why = "a worker is at it just now; look again" if is_held else "it goes on by itself"
        raise ResolutionUnfit(said.saga_id, step, f"{why} ({queue})", fits)
    asked = getattr(command_of(journey), "amount", None)
    is_asked = said.amount == asked
    if said.amount is not None and is_asked is (said.decision is Decision.OTHER_AMOUNT):
        why = f"{asked} {asked.currency} was asked for" if asked else "no amount was asked for"
        raise ResolutionUnfit(said.saga_id, step, why, fits)
