"""Poison: a saga that was claimed again and again without a move. It raises, or kills its worker;
only a person can tell why.
"""

from datetime import datetime

from payment_svc.domain.payment import Payment
from payment_svc.sagas.journey import Entry, Journey, Move, Progress, Queue

POISON = "POISON"
# From so many claims without a move on a saga is suspected, and claimed apart from the others.
SUSPECT_FROM = 2
# What is known of a saga whose worker ended before it could say what went wrong.
_PROCESS_ENDED = "ProcessEnded"


def quarantine(progress: Progress, payment: Payment, last_error: str, now: datetime) -> Move:
    """Lay a saga before a person; `last_error` is the class of the error that it met, if any."""
    reason = f"{POISON}: {last_error or _PROCESS_ENDED}"
    before = Journey(progress, payment)
    entry = Entry(
        sequence=progress.journal_length + 1,
        step=progress.step,
        action="undo" if progress.turned_round else "do",
        outcome="dead",
        detail=reason,
        definition_version=progress.definition_version,
        started_at=now,
        finished_at=now,
    )
    after = before.with_progress(
        queue=Queue.DEAD_LETTER, reason=reason, journal_length=progress.journal_length + 1
    )
    return Move(before, after, (entry,))
