"""Sums the balances of all accounts."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from ledger_svc.ports import LedgerReader, TrialBalanceLine
from ledger_svc.use_cases.archive import require_kept

_TICK = timedelta(microseconds=1)


async def get_trial_balance(
    reader: LedgerReader, at: datetime | None
) -> Sequence[TrialBalanceLine]:
    """Sum all balances per currency, now or as they were at a time, what was written then included;
    a line whose sides differ means that the books are broken.

    Raises:
        PeriodArchived: what was written then is archived.
    """
    if at is None:
        return await reader.trial_balance(None)
    lines = await reader.trial_balance(at + _TICK)
    await require_kept(reader, at + _TICK)
    return lines
