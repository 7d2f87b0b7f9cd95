"""Lists what the books are proved by, seals and checkpoints, the newest first, a page at a time."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ledger_svc.domain.checkpoint import Checkpoint
from ledger_svc.domain.seal import Seal
from ledger_svc.ports import LedgerVerification
from paging.page_size import page_limit
from paging.page_token import read_token, write_token

Item = TypeVar("Item", Seal, Checkpoint)

_NEWEST = 2**62


@dataclass(frozen=True, slots=True)
class ProofPage(Generic[Item]):
    """A page of seals or checkpoints; an empty `next_page_token` ends the list."""

    items: Sequence[Item]
    next_page_token: str


async def list_seals(
    books: LedgerVerification, *, before: int, page_size: int, page_token: str
) -> ProofPage[Seal]:
    """Read a page of seals of which the number is below `before`; 0: from the newest.

    Raises:
        InvalidRequest: the token was made for another list, or not here.
    """

    async def read(number: int, limit: int) -> Sequence[Seal]:
        return await books.seals_before(number, limit=limit)

    return await _page(["seals", str(before)], read, before, page_size, page_token)


async def list_checkpoints(
    books: LedgerVerification, *, before: int, page_size: int, page_token: str
) -> ProofPage[Checkpoint]:
    """Read a page of checkpoints, as `list_seals` does of seals.

    Raises:
        InvalidRequest: the token was made for another list, or not here.
    """

    async def read(number: int, limit: int) -> Sequence[Checkpoint]:
        return await books.checkpoints_before(number, limit=limit)

    return await _page(["checkpoints", str(before)], read, before, page_size, page_token)


async def _page(
    filters: Sequence[str],
    read: Callable[[int, int], Awaitable[Sequence[Item]]],
    before: int,
    page_size: int,
    page_token: str,
) -> ProofPage[Item]:
    limit = page_limit(page_size)
    (past,) = read_token(filters, page_token, [int]) if page_token else [before or _NEWEST]
    # One more than asked for tells whether there is a next page.
    found = await read(min(int(past), _NEWEST), limit + 1)
    items = found[:limit]
    token = write_token(filters, [items[-1].number]) if len(found) > limit else ""
    return ProofPage(items, token)
