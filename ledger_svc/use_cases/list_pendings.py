"""Lists the pending transactions that have not ended, the oldest first, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger_svc.domain.transaction import Transaction
from ledger_svc.ports import LedgerReader, PendingFilter
from ledger_svc.use_cases.get_statement import require_order
from ledger_svc.use_cases.list_entries import to_position
from paging.page_size import page_limit
from paging.page_token import read_token, write_token


@dataclass(frozen=True, slots=True)
class PendingPage:
    """A page of pending transactions; an empty `next_page_token` ends the list."""

    transactions: Sequence[Transaction]
    next_page_token: str


async def list_pendings(
    reader: LedgerReader, which: PendingFilter, *, page_size: int, page_token: str
) -> PendingPage:
    """Read a page of at most `page_size` transactions: 0 means 50, more than 500 means 500.

    Raises:
        InvalidRequest: a period ends before it starts, or the token was made with other filters, or
            not here.
    """
    require_order(which.created, "created_to")
    require_order(which.expires, "expires_to")
    limit = page_limit(page_size)
    filters = _filters(which)
    after = ""
    if page_token:
        (transaction_id,) = read_token(filters, page_token, [str])
        after, _ = to_position(str(transaction_id), 1)
    # One more than asked for tells whether there is a next page.
    found = await reader.pendings(which, after=after, limit=limit + 1)
    page = found[:limit]
    token = write_token(filters, [page[-1].transaction_id]) if len(found) > limit else ""
    return PendingPage(page, token)


def _filters(which: PendingFilter) -> list[str]:
    ends = [which.created.start, which.created.end, which.expires.start, which.expires.end]
    times = ["" if end is None else end.isoformat() for end in ends]
    return ["pendings", which.account_id, which.subject_id, *times]
