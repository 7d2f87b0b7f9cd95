"""Lists entries, the newest first, a page at a time."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import InvalidRequest
from ledger_svc.domain.transaction import ListedEntry
from ledger_svc.ports import EntryFilter, LedgerReader, Page, Position
from paging.page_size import page_limit
from paging.page_token import read_token, write_token

_ID = re.compile(r"txn_[0-9a-f]{32}", re.ASCII)
_LINES = range(1, 2**15)


@dataclass(frozen=True, slots=True)
class EntryPage:
    """A page of entries; an empty `next_page_token` ends the list, and `archived_until` then tells
    what is left out of it.
    """

    entries: Sequence[ListedEntry]
    next_page_token: str
    archived_until: datetime | None = None


async def list_entries(
    reader: LedgerReader,
    which: EntryFilter,
    *,
    page_size: int,
    page_token: str,
    oldest_first: bool = False,
) -> EntryPage:
    """Read a page of at most `page_size` entries: 0 means 50, more than 500 means 500.

    Raises:
        InvalidRequest: the token was made with other filters, or not here.
    """
    limit = page_limit(page_size)
    filters = filters_of(which)
    # One more than asked for tells whether there is a next page.
    page = Page(limit + 1, position_of(filters, page_token), oldest_first)
    found = await reader.entries(which, page)
    entries = found[:limit]
    if len(found) <= limit:
        return EntryPage(entries, "", await _left_out(reader, which))
    last = entries[-1].entry
    return EntryPage(entries, write_token(filters, [last.transaction_id, last.line]))


async def _left_out(reader: LedgerReader, which: EntryFilter) -> datetime | None:
    archived, start = await reader.archived(), which.period.start
    if archived is None or (start is not None and start >= archived.until):
        return None
    return archived.until


def filters_of(which: EntryFilter) -> list[str]:
    """Write the filters that a token is bound to."""
    ends = which.period.start, which.period.end
    times = ["" if end is None else end.isoformat() for end in ends]
    return [which.account_id, which.subject_id, which.reference, *times]


def position_of(
    filters: Sequence[str], token: str, *, field: str = "page_token"
) -> Position | None:
    """Read where a page ended; an empty token is the beginning.

    Raises:
        InvalidRequest: the token was made with other filters, or not here.
    """
    if not token:
        return None
    transaction_id, line = read_token(filters, token, [str, int], field=field)
    return to_position(str(transaction_id), int(line), field=field)


def to_position(transaction_id: str, line: int, *, field: str = "page_token") -> Position:
    """Hold what a token says against what a place can be.

    Raises:
        InvalidRequest: the token was not made here.
    """
    if not (_ID.fullmatch(transaction_id) and line in _LINES):
        raise InvalidRequest.field(field, "is none of ours")
    return transaction_id, line
