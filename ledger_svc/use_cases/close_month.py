"""Closes a month: proves what was written since the last closed one, and keeps a checkpoint."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from chassis.clock import Clock
from chassis.errors import Unavailable
from ledger_svc.domain import chain
from ledger_svc.domain.checkpoint import (
    Checkpoint,
    balances_of,
    end_of,
    next_checkpoint,
)
from ledger_svc.domain.errors import BooksUnsound, MonthClosed
from ledger_svc.domain.verification import Offence
from ledger_svc.ports import MonthCloser
from ledger_svc.use_cases.verify_ledger import all_checkpoints
from ledger_svc.use_cases.walk_books import Progress, begin


async def close_month(
    books: MonthCloser, month: str, clock: Clock
) -> AsyncIterator[Progress | Offence | Checkpoint]:
    """Prove the books up to the end of a month, and keep what they were; the checkpoint comes last.

    Args:
        books: read while they are written to.
        month: "2026-11", by UTC; it must be over for an hour.
        clock: tells whether it is, and when the checkpoint was made.

    Raises:
        MonthNotOver: it is not.
        MonthClosed: a later month was closed, and this one with it.
        Unavailable: an earlier month was closed meanwhile; asking again is safe.
        BooksUnsound: something is wrong, each of which was told; nothing is kept.
    """
    until = end_of(month, clock())
    checkpoints = await all_checkpoints(books)
    last = checkpoints[-1] if checkpoints else None
    if last is not None and last.until >= until:
        yield _closed(checkpoints, month, until)
        return
    await books.fence(until)
    walk = await begin(books, checkpoints, last)
    yield Progress(0, walk.total)
    for offence in walk.early:
        yield offence
    async for told in walk.up_to(chain.first_id(until)):
        yield told
    for offence in await walk.hidden():
        yield offence
    if walk.told.count:
        raise BooksUnsound(month, walk.told.count)
    seen = walk.verifier
    made = next_checkpoint(last, seen, await walk.balances_hash(), until, clock())
    await books.keep(made, lambda: balances_of(seen, seen.walked.names()))
    yield _closed(await all_checkpoints(books), month, until)


def _closed(checkpoints: Sequence[Checkpoint], month: str, until: datetime) -> Checkpoint:
    for one in checkpoints:
        if one.until == until:
            return one
    if checkpoints[-1].until < until:
        raise Unavailable("Another month was closed meanwhile; try again.")
    raise MonthClosed(month, checkpoints[-1].until)
