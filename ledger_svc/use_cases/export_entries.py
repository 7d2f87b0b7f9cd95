"""Sends entries in the order in which they were written, for as long as there are."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ledger_svc.domain.transaction import ListedEntry
from ledger_svc.ports import EntryFilter, LedgerReader, Page
from ledger_svc.use_cases.archive import require_kept
from ledger_svc.use_cases.list_entries import filters_of, position_of
from paging.page_token import write_token
from paging.slices import rest

CHUNK = 250


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some entries, and what to ask with to go on after them. With the last chunk, which may have
    none, up to and without which time nothing was left out.
    """

    entries: Sequence[ListedEntry]
    resume_token: str
    whole_until: datetime | None = None


async def export_entries(
    reader: LedgerReader, which: EntryFilter, resume_token: str
) -> AsyncIterator[Chunk]:
    """Read entries a chunk at a time, the oldest first, all that will ever be written before a time
    that the last chunk tells.

    Raises:
        InvalidRequest: the token was made with other filters, or not here.
        PeriodArchived: a part of it is archived; all or nothing is exported.
    """
    filters = filters_of(which)
    token = resume_token
    after = position_of(filters, token, field="resume_token")
    until = await reader.whole_until(which.period.end)
    whole = replace(which, period=replace(which.period, end=until))
    while True:
        entries = await reader.entries(whole, Page(CHUNK, after, oldest_first=True))
        await require_kept(reader, which.period.start)
        if entries:
            last = entries[-1].entry
            after = last.transaction_id, last.line
            token = write_token(filters, after)
        if len(entries) < CHUNK:
            yield Chunk(entries, token, until)
            return
        yield Chunk(entries, token)
        await rest()
