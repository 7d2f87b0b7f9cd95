"""How a transaction is taken back: in full or in parts, never more than it was.

Taking back all that is left is the transaction `<reference>:reversal`; a part has a reference of
its caller's. All who take back of one transaction hold the same accounts, so that each sees what
the others took.
"""

from ledger_svc.domain import errors
from ledger_svc.domain.books import Draft, Outcome, Posted
from ledger_svc.domain.parts import left_of, lines_of, require_part
from ledger_svc.domain.posting import Line, Reversal, differing, is_own_name, result_reference
from ledger_svc.domain.transaction import Heading, Kind, Transaction


def reverse(draft: Draft, asked: Reversal) -> Outcome:
    """Take a transaction back, or answer as the first time; close a reference that is not there.

    Raises:
        TransactionNotFound: a part is to be taken back of what is not there, or a name of the
            ledger's own would be closed.
        StillPending: it has moved nothing.
        ReferenceReused: the reversal's reference has another transaction.
        ReversedBeforeArrival: the reversal's reference is closed.
        NothingLeft, PartTooLarge: less is left than is to be taken back.
        Refusal: an account does not take an entry.
    """
    original = draft.transaction(asked.reference)
    if original is None:
        if asked.lines or is_own_name(asked.reference):
            raise errors.TransactionNotFound(asked.reference)
        return draft.close(asked.reference, asked.reason)
    if original.kind is Kind.PENDING:
        raise errors.StillPending(asked.reference)
    known = draft.transaction(result_reference(asked))
    if known is not None:
        return _replay(draft, original, known, asked)
    if draft.is_closed(result_reference(asked)):
        raise errors.ReversedBeforeArrival(result_reference(asked))
    return _take_back(draft, original, asked)


def _take_back(draft: Draft, original: Transaction, asked: Reversal) -> Posted:
    taken = _taken(draft, asked.reference)
    left = left_of(original.lines, taken)
    part = asked.lines or (lines_of(left) if taken else original.lines)
    if not part:
        raise errors.NothingLeft(asked.reference)
    require_part(asked.reference, left, part)
    heading = Heading(
        result_reference(asked),
        Kind.POSTED,
        asked.reason,
        original.heading.subject_id,
        draft.now,
        reverses_reference=asked.reference,
    )
    return draft.write(heading, _exchanged(part), is_ending=True)


def _taken(draft: Draft, reference: str) -> list[Line]:
    """List what was taken back of a transaction, with its own sides."""
    return [line.opposite for earlier in draft.reversals(reference) for line in earlier.lines]


def _exchanged(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    return tuple(line.opposite for line in lines)


def _replay(draft: Draft, original: Transaction, known: Transaction, asked: Reversal) -> Posted:
    """Answer as the first time; whoever takes back all that is left leaves nothing."""
    if asked.lines:
        differs = differing(known.lines, _exchanged(asked.lines))
    else:
        left = left_of(original.lines, _taken(draft, asked.reference))
        differs = ["amounts"] if any(left.values()) else []
    if known.heading.reverses_reference != asked.reference:
        differs = ["reversesReference"]
    if differs:
        raise errors.ReferenceReused(known.reference, differs)
    return Posted(known, replayed=True)
