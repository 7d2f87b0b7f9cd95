"""Queues, plans and resolutions as messages: one mapping per enum, total."""

from collections.abc import Mapping
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from paymesh.payment.v1 import dead_letter_pb2 as noun

from payment_svc import presenter
from payment_svc.domain.actor import Actor
from payment_svc.domain.resolution import Decision, Resolution, ResolutionStatus
from payment_svc.operations.ports import SagaFilter
from payment_svc.sagas.retrying import RetryPlan
from payment_svc.use_cases.describe_queues import QueueKey, Standing

DECISIONS = {d: noun.Resolution.Decision.Value(d.value) for d in Decision}
STATUSES = {s: noun.Resolution.Status.Value(s.value) for s in ResolutionStatus}
DECISIONS_IN = {value: decision for decision, value in DECISIONS.items()}
STATUSES_IN = {value: status for status, value in STATUSES.items()}


def duration(span: timedelta) -> Duration:
    """Write a span."""
    result = Duration()
    result.FromTimedelta(span)
    return result


def queues(found: Mapping[QueueKey, Standing]) -> list[noun.QueueDepth]:
    """Write the queues, a line each."""
    return [
        noun.QueueDepth(
            queue=key.queue.value,
            kind=key.kind,
            reason_class=key.reason_class,
            depth=standing.count,
            oldest_age=duration(standing.oldest_age),
        )
        for key, standing in found.items()
    ]


def plan(planned: RetryPlan) -> noun.RetryPlan:
    """Write what a saga does next."""
    message = noun.RetryPlan(
        step=planned.step,
        action=planned.action,
        command=planned.command,
        keys=[noun.StepKey(name=name, value=value) for name, value in planned.keys],
        policy=planned.policy,
        problem=planned.problem,
    )
    if planned.amount is not None:
        message.amount = str(planned.amount)
        message.currency = planned.amount.currency
    return message


def resolution(found: Resolution) -> noun.Resolution:
    """Write a resolution."""
    message = noun.Resolution(
        resolution_id=found.resolution_id,
        saga_id=found.saga_id,
        payment_id=found.payment_id,
        step=found.step,
        action=found.action,
        attempt_id=found.attempt_id,
        decision=DECISIONS[found.decision],
        psp_reference=found.psp_reference,
        evidence=found.evidence,
        evidence_link=found.evidence_link,
        reason=found.reason,
        status=STATUSES[found.status],
        proposed_by=_actor(found.proposed_by),
        proposed_at=presenter.timestamp(found.proposed_at),
        expires_at=presenter.timestamp(found.expires_at),
        note=found.note,
    )
    if found.amount is not None:
        message.amount = str(found.amount)
        message.currency = found.amount.currency
    if found.decided_by is not None and found.decided_at is not None:
        message.decided_by.CopyFrom(_actor(found.decided_by))
        message.decided_at.CopyFrom(presenter.timestamp(found.decided_at))
    return message


def read_filter(message: noun.SagaFilter) -> SagaFilter:
    """Read which sagas are meant."""
    return SagaFilter(
        message.kind,
        message.reason,
        message.payment_id,
        message.older_than.ToTimedelta(),
        message.unknown_for.ToTimedelta() if message.HasField("unknown_for") else None,
    )


def _actor(who: Actor) -> noun.Actor:
    return noun.Actor(name=who.name, verified=who.is_verified)
