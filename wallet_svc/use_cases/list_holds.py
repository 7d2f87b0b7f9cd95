"""Reads a hold, and lists a wallet's holds, the newest first, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

from paging.page_size import page_limit
from paging.page_token import read_moment, read_token, write_token
from wallet_svc.domain.errors import HoldNotFound
from wallet_svc.domain.hold import Hold
from wallet_svc.ports import HoldPlace, WalletReader
from wallet_svc.use_cases.get_wallet import get_wallet


@dataclass(frozen=True, slots=True)
class HoldPage:
    """A page of holds; an empty `next_page_token` ends the list."""

    holds: Sequence[Hold]
    next_page_token: str


async def get_hold(reader: WalletReader, hold_id: str) -> Hold:
    """Read a hold as it is now.

    Raises:
        HoldNotFound: there is none.
    """
    hold = await reader.hold(hold_id)
    if hold is None:
        raise HoldNotFound(hold_id)
    return hold


async def list_holds(
    reader: WalletReader, wallet_id: str, *, only_open: bool, page_size: int, page_token: str
) -> HoldPage:
    """Read a page of at most `page_size` holds: 0 means 50, more than 500 means 500.

    Raises:
        WalletNotFound: there is no such wallet.
        InvalidRequest: the token was made with other filters, or not here.
    """
    limit = page_limit(page_size)
    filters = ["holds", wallet_id, str(only_open)]
    before = None
    if page_token:
        moment, hold_id = read_token(filters, page_token, [str, str])
        before = HoldPlace(read_moment(moment), str(hold_id))
    await get_wallet(reader, wallet_id)
    # One more than asked for tells whether there is a next page.
    found = await reader.holds(wallet_id, only_open=only_open, before=before, limit=limit + 1)
    holds = found[:limit]
    if len(found) <= limit:
        return HoldPage(holds, "")
    last = holds[-1]
    return HoldPage(holds, write_token(filters, [last.created_at.isoformat(), last.hold_id]))
