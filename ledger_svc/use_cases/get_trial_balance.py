"""Sums the balances of all accounts."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from ledger_svc.ports import LedgerReader, TrialBalanceLine
from ledger_svc.use_cases.archive import require_effect_kept, require_kept

_TICK = timedelta(microseconds=1)


async def get_trial_balance(
    reader: LedgerReader, at: datetime | None, *, by_effective_at: bool = False
) -> Sequence[TrialBalanceLine]:
    """Sum all balances per currency, now or as they were at a time, what was written then included,
    or what counts from then; a line whose sides differ means that the books are broken.

    Raises:
        PeriodArchived: what was written then is archived, or may count from later.
    """
    if at is None:
        return await reader.trial_balance(None)
    if by_effective_at:
        lines = await reader.trial_balance_effective(at)
        await require_effect_kept(reader, at)
    else:
        lines = await reader.trial_balance(at + _TICK)
        await require_kept(reader, at + _TICK)
    return lines
