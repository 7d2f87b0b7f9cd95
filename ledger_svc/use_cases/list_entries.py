"""Lists entries, the newest first, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger_svc.domain.page_token import Position, read_token, write_token
from ledger_svc.domain.transaction import Entry
from ledger_svc.ports import EntryFilter, LedgerReader

PAGE_SIZE_DEFAULT = 50
PAGE_SIZE_MAX = 500


@dataclass(frozen=True, slots=True)
class EntryPage:
    """A page of entries; an empty `next_page_token` ends the list."""

    entries: Sequence[Entry]
    next_page_token: str


async def list_entries(
    reader: LedgerReader, which: EntryFilter, *, page_size: int, page_token: str
) -> EntryPage:
    """Read a page of at most `page_size` entries: 0 means 50, more than 500 means 500.

    An account's own entries come by their place in its history, others by transaction and line.

    Raises:
        InvalidRequest: the token was made with other filters, or not here.
    """
    limit = min(page_size or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)
    by_account = bool(which.account_id) and not which.subject_id
    # One more than asked for tells whether there is a next page.
    read = _read_account if by_account else _read_any
    found = await read(reader, which, page_token, limit + 1)
    entries = found[:limit]
    if len(found) <= limit:
        return EntryPage(entries, "")
    last = entries[-1]
    position: Position = [last.account_sequence] if by_account else [last.transaction_id, last.line]
    return EntryPage(entries, write_token(_filters(which), position))


async def _read_account(
    reader: LedgerReader, which: EntryFilter, token: str, limit: int
) -> Sequence[Entry]:
    before = None
    if token:
        (sequence,) = read_token(_filters(which), token, [int])
        before = int(sequence)
    return await reader.account_entries(which.account_id, before=before, limit=limit)


async def _read_any(
    reader: LedgerReader, which: EntryFilter, token: str, limit: int
) -> Sequence[Entry]:
    before = None
    if token:
        transaction_id, line = read_token(_filters(which), token, [str, int])
        before = str(transaction_id), int(line)
    return await reader.entries(which, before=before, limit=limit)


def _filters(which: EntryFilter) -> list[str]:
    return [which.account_id, which.subject_id]
