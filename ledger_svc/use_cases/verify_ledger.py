"""Proves the books from the first transaction to the last, while they are written to.

What is verified is what stood when it began: of each stream, what its head had. All of that is on
disk, and on each account it comes before all that is written meanwhile.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from chassis.errors import Unavailable
from ledger_svc.domain import chain
from ledger_svc.domain.checkpoint import Checkpoint, standing_offences
from ledger_svc.domain.verification import Offence
from ledger_svc.ports import Archived, LedgerVerification
from ledger_svc.use_cases.kept_balances import kept_offences
from ledger_svc.use_cases.walk_books import CHUNK, END, Progress, begin


@dataclass(frozen=True, slots=True)
class Summary:
    """What was found.

    Attributes:
        transaction_count, entry_count: those that were read, and not what was archived or proved
            before.
        from_checkpoint: where it began; 0 for the first transaction.
    """

    transaction_count: int
    entry_count: int
    account_count: int
    stream_count: int
    seal_count: int
    offence_count: int
    last_transaction_id: str
    checkpoint_count: int
    from_checkpoint: int


async def verify_ledger(
    books: LedgerVerification,
    *,
    since_last_checkpoint: bool = False,
    known_seals: Mapping[int, bytes] | None = None,
) -> AsyncIterator[Progress | Offence | Summary]:
    """Verify everything that is not archived; tell how far it is, each offence as it is met, 100 at
    most, and at the end what was found.

    Args:
        books: read while they are written to.
        since_last_checkpoint: begin there, and prove anew only what came after.
        known_seals: hashes by number, kept elsewhere, that seals must have.

    Raises:
        Unavailable: a month was archived meanwhile: what was missing of it was no offence.
    """
    archived = await books.archived()
    checkpoints = await all_checkpoints(books)
    base = _base(checkpoints, archived, since_last_checkpoint=since_last_checkpoint)
    walk = await begin(books, checkpoints, base, known_seals)
    yield Progress(0, walk.total)
    for offence in walk.early:
        yield offence
    seen = walk.verifier.transaction_count, walk.verifier.entry_count
    for checkpoint in checkpoints[base.number if base is not None else 0 :]:
        async for told in walk.up_to(chain.first_id(checkpoint.until)):
            yield told
        others = standing_offences(checkpoint, walk.verifier, await walk.balances_hash())
        for offence in walk.told.some(others):
            yield offence
    async for told in walk.up_to(END):
        yield told
    async for offence in walk.finish():
        yield offence
    kept = () if since_last_checkpoint else [one for one in checkpoints if one != base]
    async for wrong in kept_offences(books, walk.snapshot.accounts, kept):
        for offence in walk.told.some([wrong]):
            yield offence
    if archived != await books.archived():
        raise Unavailable("A month was archived meanwhile; try again.")
    yield Summary(
        walk.verifier.transaction_count - seen[0],
        walk.verifier.entry_count - seen[1],
        len(walk.snapshot.accounts),
        len(walk.heads),
        walk.seals.count,
        walk.told.count,
        walk.last if walk.done else "",
        len(checkpoints),
        base.number if base is not None else 0,
    )


async def all_checkpoints(books: LedgerVerification) -> Sequence[Checkpoint]:
    """Read the checkpoints; there are twelve a year."""
    found: list[Checkpoint] = []
    while page := await books.checkpoints(after=found[-1].number if found else 0, limit=CHUNK):
        found += page
    return found


def _base(
    checkpoints: Sequence[Checkpoint], archived: Archived | None, *, since_last_checkpoint: bool
) -> Checkpoint | None:
    """Choose where to begin: at the end of what is archived, unless later is asked for."""
    if since_last_checkpoint and checkpoints:
        return checkpoints[-1]
    if archived is None:
        return None
    return next((one for one in checkpoints if one.until >= archived.until), None)
