"""Reverses a transaction, in full or in part, by a new one with its sides exchanged."""

from ledger_svc.domain.books import Outcome
from ledger_svc.domain.posting import Reversal
from ledger_svc.ports import LedgerWriter


async def reverse_transaction(writer: LedgerWriter, reversal: Reversal) -> Outcome:
    """Reverse a transaction once per reversal reference; close a reference that is not there."""
    (outcome,) = await writer.do([reversal])
    return outcome
