"""Reverses a transaction by a new one with its sides exchanged."""

from ledger_svc.domain.books import Reversal, ReversalOutcome
from ledger_svc.ports import LedgerWriter


async def reverse_transaction(
    writer: LedgerWriter, reference: str, *, reason: str
) -> ReversalOutcome:
    """Reverse a transaction once; a reference that is not there is closed for ever."""
    return await writer.reverse(Reversal(reference, reason))
