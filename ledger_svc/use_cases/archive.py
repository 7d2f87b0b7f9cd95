"""What reports must not pass over in silence: that a part of the books is archived."""

from datetime import datetime

from ledger_svc.domain.errors import PeriodArchived
from ledger_svc.domain.horizon import TICK
from ledger_svc.ports import LedgerReader


async def require_kept(reader: LedgerReader, since: datetime | None) -> None:
    """Let a report stand that was made of all that was written since a time; None is the beginning.

    To be asked after the report was read: what is archived meanwhile is then noticed.

    Raises:
        PeriodArchived: a part of it could not be read.
    """
    archived = await reader.archived()
    if archived is not None and (since is None or since < archived.until):
        raise PeriodArchived(archived.until)


async def require_effect_kept(reader: LedgerReader, at: datetime | None) -> None:
    """Let a balance stand that counts all that took effect up to a time; None is the beginning.

    Raises:
        PeriodArchived: what is archived may take effect later.
    """
    archived = await reader.archived()
    if archived is not None and (at is None or at < archived.effective_until):
        raise PeriodArchived(archived.effective_until)


async def require_opening_kept(reader: LedgerReader, start: datetime | None) -> None:
    """Let a statement stand that opens with all that took effect before a time; None is the
    beginning.

    Raises:
        PeriodArchived: what is archived may take effect then, or later.
    """
    archived = await reader.archived()
    if archived is not None and (start is None or start <= archived.effective_until):
        raise PeriodArchived(archived.effective_until + TICK)
