"""Sums debits and credits over the whole ledger."""

from collections.abc import Sequence

from ledger_svc.ports import LedgerReader, TrialBalanceLine


async def get_trial_balance(reader: LedgerReader) -> Sequence[TrialBalanceLine]:
    """Sum all entries per currency; a line whose sums differ means that the books are broken."""
    return await reader.trial_balance()
