"""When a posting is written, answered as before, or refused."""

from datetime import timedelta

from ledger_svc.domain import errors
from ledger_svc.domain.books import Draft, Posted
from ledger_svc.domain.posting import Posting
from ledger_svc.domain.transaction import Heading, Kind

# One that counts from later keeps every checkpoint until then from telling what counts.
EFFECT_AHEAD_MAX = timedelta(days=366)


def post(draft: Draft, asked: Posting) -> Posted:
    """Write a transaction, or answer as the first time.

    Raises:
        ReferenceReused: the reference has another transaction.
        ReversedBeforeArrival: the reference is closed.
        EffectTooFar: it would count from more than `EFFECT_AHEAD_MAX` after now.
        ExpiredBeforeArrival: it is pending and would have expired by now.
        Refusal: an account does not take a line.
    """
    known = draft.transaction(asked.reference)
    if known is not None:
        known.require_same(asked)
        return Posted(known, replayed=True)
    if draft.is_closed(asked.reference):
        raise errors.ReversedBeforeArrival(asked.reference)
    if asked.effective_at is not None and asked.effective_at > draft.now + EFFECT_AHEAD_MAX:
        raise errors.EffectTooFar(asked.reference, draft.now + EFFECT_AHEAD_MAX)
    if not asked.is_pending:
        return draft.write(_heading(draft, asked, _POSTED), asked.lines)
    if asked.expires_at is not None and asked.expires_at <= draft.now:
        raise errors.ExpiredBeforeArrival(asked.reference)
    draft.reserve(asked.lines)
    return draft.write(_heading(draft, asked, _PENDING), pending=asked.lines)


def _heading(draft: Draft, asked: Posting, kind: Kind) -> Heading:
    said = asked.reference, kind, asked.description, asked.subject_id
    times = asked.effective_at or draft.now, asked.expires_at
    return _tuple(Heading, (*said, *times, "", "", asked.template))


# Half the price of calling a named tuple's class, and of asking an enumeration for a member.
_tuple = tuple.__new__
_POSTED, _PENDING = Kind.POSTED, Kind.PENDING
