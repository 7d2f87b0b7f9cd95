"""A dead letter is never silent: an event in its own transaction, then a metric and a log line."""

from collections.abc import Sequence

from chassis.database import Write
from chassis.telemetry import logger
from payment_svc import outbox
from payment_svc.metrics import DEAD_LETTERS
from payment_svc.sagas.journey import Move, Progress, Queue
from payment_svc.sagas.reasons import reason_class

EVENT_TYPE = "payment.needs_attention"


def record(moves: Sequence[Move]) -> Write:
    """Make the write of an event for each move that ends in the dead-letter queue.

    It names no client, so no client is told: it is for the stream of the operators alone. The
    journal numbers the events of a saga.
    """
    return record_dead([move.after.progress for move in moves if is_new(move)])


def record_dead(dead: Sequence[Progress]) -> Write:
    """Make the write of the same event for sagas whose payments cannot be read."""
    return outbox.record([_event(progress) for progress in dead])


def is_new(move: Move) -> bool:
    """Whether a move makes a dead letter."""
    return move.after.progress.queue is Queue.DEAD_LETTER


def tell(moves: Sequence[Move]) -> None:
    """Count and log the dead letters among recorded moves."""
    tell_dead([move.after.progress for move in moves if is_new(move)])


def tell_dead(dead: Sequence[Progress]) -> None:
    """Count and log new dead letters."""
    for progress in dead:
        named = reason_class(progress.reason)
        DEAD_LETTERS.labels(progress.kind, progress.step, named).inc()
        logger().error(
            "dead_letter",
            saga_id=progress.saga_id,
            payment_id=progress.payment_id,
            saga=progress.kind,
            step=progress.step,
            reason=progress.reason,
        )


def _event(progress: Progress) -> outbox.Event:
    return outbox.Event(
        progress.saga_id,
        progress.journal_length,
        EVENT_TYPE,
        {
            "payment_id": progress.payment_id,
            "saga_id": progress.saga_id,
            "kind": progress.kind,
            "step": progress.step,
            "action": "undo" if progress.turned_round else "do",
            "reason": progress.reason,
            "reason_class": reason_class(progress.reason),
        },
    )
