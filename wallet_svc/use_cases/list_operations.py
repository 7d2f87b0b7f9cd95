"""Lists operations, the newest first, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

from paging.page_token import Position, read_moment, read_token, write_token
from wallet_svc.domain.operation import Operation
from wallet_svc.ports import Moment, OperationFilter, WalletReader

PAGE_SIZE_DEFAULT = 50
PAGE_SIZE_MAX = 500


@dataclass(frozen=True, slots=True)
class OperationPage:
    """A page of operations; an empty `next_page_token` ends the list."""

    operations: Sequence[Operation]
    next_page_token: str


async def list_operations(
    reader: WalletReader, which: OperationFilter, *, page_size: int, page_token: str
) -> OperationPage:
    """Read a page of at most `page_size` operations: 0 means 50, more than 500 means 500.

    A wallet's own operations come by their place in its history, others by time.

    Raises:
        InvalidRequest: the token was made with other filters, or not here.
    """
    limit = min(page_size or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)
    by_wallet = bool(which.wallet_id) and not which.subject_id
    # One more than asked for tells whether there is a next page.
    read = _read_wallet if by_wallet else _read_any
    found = await read(reader, which, page_token, limit + 1)
    operations = found[:limit]
    if len(found) <= limit:
        return OperationPage(operations, "")
    last = operations[-1]
    position: Position = (
        [last.sequence]
        if by_wallet
        else [last.created_at.isoformat(), last.sequence, last.operation_id]
    )
    return OperationPage(operations, write_token(_filters(which), position))


async def _read_wallet(
    reader: WalletReader, which: OperationFilter, token: str, limit: int
) -> Sequence[Operation]:
    before = None
    if token:
        (sequence,) = read_token(_filters(which), token, [int])
        before = int(sequence)
    return await reader.wallet_operations(which, before=before, limit=limit)


async def _read_any(
    reader: WalletReader, which: OperationFilter, token: str, limit: int
) -> Sequence[Operation]:
    before = None
    if token:
        moment, sequence, operation_id = read_token(_filters(which), token, [str, int, str])
        before = Moment(read_moment(moment), int(sequence), str(operation_id))
    return await reader.operations(which, before=before, limit=limit)


def _filters(which: OperationFilter) -> list[str]:
    kind = which.kind.value if which.kind else ""
    created = [str(which.created.start), str(which.created.end)]
    return [which.wallet_id, which.subject_id, kind, *created]
