"""Sends entries in the order in which they were written, for as long as there are."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from ledger_svc.domain.page_token import write_token
from ledger_svc.domain.transaction import Entry
from ledger_svc.ports import EntryFilter, LedgerReader, Page
from ledger_svc.use_cases.archive import require_kept
from ledger_svc.use_cases.list_entries import filters_of, position_of

CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some entries, and what to ask with to go on after them."""

    entries: Sequence[Entry]
    resume_token: str


async def export_entries(
    reader: LedgerReader, which: EntryFilter, resume_token: str
) -> AsyncIterator[Chunk]:
    """Read entries a chunk at a time, the oldest first.

    A batch that is being written meanwhile may be missing: an export is whole up to a time that
    lies further back than any batch takes.

    Raises:
        InvalidRequest: the token was made with other filters, or not here.
        PeriodArchived: a part of it is archived; all or nothing is exported.
    """
    filters = filters_of(which)
    after = position_of(filters, resume_token, field="resume_token")
    page = Page(CHUNK, after, oldest_first=True)
    while entries := await reader.entries(which, page):
        await require_kept(reader, which.period.start)
        last = entries[-1].transaction_id, entries[-1].line
        yield Chunk(entries, write_token(filters, last))
        if len(entries) < CHUNK:
            return
        page = replace(page, after=last)
    await require_kept(reader, which.period.start)
