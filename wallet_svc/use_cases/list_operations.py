"""Lists operations, the newest first, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

from paging.page_size import page_limit
from paging.page_token import Position, read_moment, read_token, write_token
from wallet_svc import ports
from wallet_svc.domain.operation import Operation
from wallet_svc.ports import Moment, OperationFilter, Period, WalletReader

_ALL = 2**63 - 1


@dataclass(frozen=True, slots=True)
class OperationPage:
    """A page of operations; an empty `next_page_token` ends the list, and nothing else does: what
    is rare may be on no page for a while.
    """

    operations: Sequence[Operation]
    next_page_token: str


async def list_operations(
    reader: WalletReader, which: OperationFilter, *, page_size: int, page_token: str
) -> OperationPage:
    """Read a page of at most `page_size` operations: 0 means 50, more than 500 means 500.

    A wallet's own operations come by their place in its history, others by time. A page looks at a
    bounded number of operations, however few of them fit.

    Raises:
        InvalidRequest: the token was made with other filters, or not here.
    """
    limit = page_limit(page_size)
    if which.wallet_id and not which.subject_id:
        return await _of_wallet(reader, which, page_token, limit)
    filters = filters_of(which)
    before = None
    if page_token:
        moment, sequence, operation_id = read_token(filters, page_token, [str, int, str])
        before = Moment(read_moment(moment), int(sequence), str(operation_id))
    # One more than asked for tells whether there is a next page.
    read = await reader.operations(which, before=before, limit=limit + 1)
    operations, reached = read.found[:limit], read.reached
    if len(read.found) > limit:
        last = operations[-1]
        reached = Moment(last.created_at, last.sequence, last.operation_id)
    if reached is None:
        return OperationPage(operations, "")
    position: Position = [
        reached.created_at.isoformat(),
        reached.wallet_sequence,
        reached.operation_id,
    ]
    return OperationPage(operations, write_token(filters, position))


async def _of_wallet(
    reader: WalletReader, which: OperationFilter, token: str, limit: int
) -> OperationPage:
    filters = filters_of(which)
    before = _ALL
    if token:
        (sequence,) = read_token(filters, token, [int])
        before = int(sequence)
    lowest, highest = 0, _ALL
    may_be_rare = which.kind is not None or which.created != Period()
    if may_be_rare:
        lowest, highest = await reader.places(which.wallet_id, which.created)
    high = min(before, highest)
    low = max(lowest, high - ports.LOOKED_AT_MAX - 1) if may_be_rare else lowest
    found = await reader.wallet_operations(which, between=(low, high), limit=limit + 1)
    operations = found[:limit]
    if len(found) > limit:
        return OperationPage(operations, write_token(filters, [operations[-1].sequence]))
    return OperationPage(operations, write_token(filters, [low + 1]) if low > lowest else "")


def filters_of(which: OperationFilter) -> list[str]:
    """Write the filters that a token is bound to."""
    kind = which.kind.value if which.kind else ""
    created = [str(which.created.start), str(which.created.end)]
    return [which.wallet_id, which.subject_id, kind, *created]
