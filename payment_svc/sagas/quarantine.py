"""What only a person can mend. Poison: a saga that was claimed again and again without a move; it
raises, or kills its worker. Unreadable: its payment cannot be read from its row as it is.
"""

from dataclasses import replace
from datetime import datetime

from payment_svc.domain.payment import Payment
from payment_svc.sagas.journey import Entry, Journey, Move, Progress, Queue

POISON = "POISON"
# From so many claims without a move on a saga is suspected, and claimed apart from the others.
SUSPECT_FROM = 2
# What is known of a saga whose worker ended before it could say what went wrong.
_PROCESS_ENDED = "ProcessEnded"
# A key that is missing may be on its way: that many claims, with their rests, are about an hour.
KEY_CLAIMS_MAX = 80


def quarantine(progress: Progress, payment: Payment, last_error: str, now: datetime) -> Move:
    """Lay a saga before a person; `last_error` is the class of the error that it met, if any."""
    after, entry = set_aside(progress, f"{POISON}: {last_error or _PROCESS_ENDED}", now)
    return Move(Journey(progress, payment), Journey(after, payment), (entry,))


def set_aside(progress: Progress, reason: str, now: datetime) -> tuple[Progress, Entry]:
    """Make a dead letter of a saga, and the line of its journal."""
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
    after = replace(
        progress,
        queue=Queue.DEAD_LETTER,
        reason=reason,
        journal_length=progress.journal_length + 1,
    )
    return after, entry
