"""Lists who changed a wallet, when and why, the newest first, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

from paging.page_size import page_limit
from paging.page_token import read_token, write_token
from wallet_svc.domain.wallet import WalletChange
from wallet_svc.ports import WalletReader
from wallet_svc.use_cases.get_wallet import get_wallet

_NEWEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class ChangePage:
    """A page of changes; an empty `next_page_token` ends the list."""

    changes: Sequence[WalletChange]
    next_page_token: str


async def list_wallet_changes(
    reader: WalletReader, wallet_id: str, *, page_size: int, page_token: str
) -> ChangePage:
    """Read a page of at most `page_size` changes: 0 means 50, more than 500 means 500.

    Raises:
        WalletNotFound: there is none.
        InvalidRequest: the token was made for another wallet, or not here.
    """
    limit = page_limit(page_size)
    filters = ["changes", wallet_id]
    (before,) = read_token(filters, page_token, [int]) if page_token else [_NEWEST]
    await get_wallet(reader, wallet_id)
    # One more than asked for tells whether there is a next page.
    found = await reader.changes(wallet_id, before=int(before), limit=limit + 1)
    changes = found[:limit]
    token = write_token(filters, [changes[-1].version]) if len(found) > limit else ""
    return ChangePage(changes, token)
