"""How a pending transaction ends: posted in full or in part, voided, or expired; exactly once.

Its end is the transaction `<reference>:resolution`, so that the one key of references decides
between two who end it at once.
"""

from ledger_svc.domain import errors
from ledger_svc.domain.books import Draft, Outcome, Posted
from ledger_svc.domain.parts import left_of, require_part
from ledger_svc.domain.posting import (
    Action,
    Line,
    Resolution,
    differing,
    is_own_name,
    result_reference,
)
from ledger_svc.domain.transaction import Heading, Kind, Transaction

_KINDS = {
    Action.POST: Kind.PENDING_POSTED,
    Action.VOID: Kind.PENDING_VOIDED,
    Action.EXPIRE: Kind.PENDING_EXPIRED,
}


def resolve(draft: Draft, asked: Resolution) -> Outcome:
    """End a pending transaction, or answer as the first time; close a reference that is not there.

    Raises:
        TransactionNotFound: there is nothing to post, or a name of the ledger's own would be
            closed.
        NotPending: the transaction has moved value already.
        AlreadyResolved: it has ended in another way, or had its time.
        ReferenceReused: the end's reference has another transaction.
        ReversedBeforeArrival: the end's reference is closed.
        PartTooLarge: more is to be posted than is pending.
        Refusal: an account does not take an entry.
    """
    pending = draft.transaction(asked.reference)
    if pending is None:
        if asked.action is Action.VOID and not is_own_name(asked.reference):
            return draft.close(asked.reference, asked.reason)
        raise errors.TransactionNotFound(asked.reference)
    if pending.kind is not Kind.PENDING:
        raise errors.NotPending(asked.reference)
    known = draft.transaction(result_reference(asked))
    if known is not None:
        return _replay(known, pending, asked)
    if draft.is_closed(result_reference(asked)):
        raise errors.ReversedBeforeArrival(result_reference(asked))
    return _end(draft, pending, asked)


def _end(draft: Draft, pending: Transaction, asked: Resolution) -> Posted:
    if asked.action is Action.POST and _had_its_time(draft, pending):
        raise errors.AlreadyResolved(asked.reference, Kind.PENDING_EXPIRED)
    moved = _moved(pending, asked)
    require_part(asked.reference, left_of(pending.lines, ()), moved)
    draft.release(pending.lines)
    heading = Heading(
        result_reference(asked),
        _KINDS[asked.action],
        asked.reason or pending.heading.description,
        pending.heading.subject_id,
        draft.now,
        resolves_reference=asked.reference,
    )
    return draft.write(heading, moved, is_ending=True)


def _moved(pending: Transaction, asked: Resolution) -> tuple[Line, ...]:
    if asked.action is not Action.POST:
        return ()
    return asked.lines or pending.lines


def _had_its_time(draft: Draft, pending: Transaction) -> bool:
    expires_at = pending.heading.expires_at
    return expires_at is not None and expires_at <= draft.now


def _replay(known: Transaction, pending: Transaction, asked: Resolution) -> Posted:
    if known.heading.resolves_reference != asked.reference:
        raise errors.ReferenceReused(known.reference, ["resolvesReference"])
    same = known.kind is _KINDS[asked.action]
    if not same or differing(known.lines, _moved(pending, asked)):
        raise errors.AlreadyResolved(asked.reference, known.kind)
    return Posted(known, replayed=True)
