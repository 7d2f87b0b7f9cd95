"""Proves the books from the first transaction to the last, while they are written to.

What is verified is what stood when it began: of each stream, what its head had. All of that is on
disk, and on each account it comes before all that is written meanwhile.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ledger_svc.domain import chain
from ledger_svc.domain.chain import Head
from ledger_svc.domain.seal import Seal, seal_offences
from ledger_svc.domain.transaction import Transaction
from ledger_svc.domain.verification import Offence, OffenceKind, Verifier
from ledger_svc.ports import LedgerVerification

CHUNK = 1_000
OFFENCES_TOLD_MAX = 100


@dataclass(frozen=True, slots=True)
class Progress:
    """How many transactions have been looked at, of how many."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What was found."""

    transaction_count: int
    entry_count: int
    account_count: int
    stream_count: int
    seal_count: int
    offence_count: int
    last_transaction_id: str


async def verify_ledger(
    books: LedgerVerification,
) -> AsyncIterator[Progress | Offence | Summary]:
    """Verify everything; tell how far it is, each offence as it is met, 100 at most, and at the end
    what was found.
    """
    snapshot = await books.snapshot()
    heads = {head.stream: head for head in snapshot.heads}
    seals = await _seals(books)
    sealed = {(head.stream, head.number): head.hash for seal in seals for head in seal.heads}
    verifier = Verifier({a.account_id: a for a in snapshot.accounts}, heads, sealed)
    told, last, done = _Told(), "", 0
    strangers: set[int] = set()
    total = sum(head.number for head in snapshot.heads)
    yield Progress(0, total)
    for offence in told.some(seal_offences(seals)):
        yield offence
    while chunk := await books.transactions(last or chain.NOTHING, limit=CHUNK):
        last = chunk[-1].transaction_id
        known = [one for one in chunk if _is_within(heads, one)]
        strangers |= {chain.place(one.transaction_id)[0] for one in chunk} - heads.keys()
        done += len(known)
        found = [offence for one in known for offence in verifier.take(one)]
        claims = await books.claims([one.reference for one in known])
        for offence in told.some([*found, *_claim_offences(known, claims)]):
            yield offence
        yield Progress(min(done, total), total)
        # To the very end, past what the heads say: that is where something could be hidden.
        if len(chunk) < CHUNK:
            break
    begun = {head.stream for head in await books.heads()} if strangers else set()
    for offence in told.some([*verifier.finish(), *_headless(strangers - begun)]):
        yield offence
    yield Summary(
        verifier.transaction_count,
        verifier.entry_count,
        len(snapshot.accounts),
        len(heads),
        len(seals),
        told.count,
        last,
    )


@dataclass(slots=True)
class _Told:
    """Counts offences, and lets the first hundred through."""

    count: int = 0

    def some(self, offences: Iterable[Offence]) -> list[Offence]:
        """Count offences; keep those that are told."""
        kept = []
        for offence in offences:
            self.count += 1
            if self.count <= OFFENCES_TOLD_MAX:
                kept.append(offence)
        return kept


async def _seals(books: LedgerVerification) -> Sequence[Seal]:
    seals: list[Seal] = []
    while page := await books.seals(after=seals[-1].number if seals else 0, limit=CHUNK):
        seals += page
    return seals


def _headless(streams: Iterable[int]) -> list[Offence]:
    """Tell of streams that have transactions and no head; one that began meanwhile has one now."""
    return [
        Offence(OffenceKind.WRONG_STREAM, f"stream {stream}", "It has transactions, and no head.")
        for stream in sorted(streams)
    ]


def _is_within(heads: dict[int, Head], one: Transaction) -> bool:
    """Tell whether it stood when the heads were read."""
    stream, number = chain.place(one.transaction_id)
    return stream in heads and number <= heads[stream].number


def _claim_offences(chunk: Sequence[Transaction], claims: Mapping[str, str]) -> list[Offence]:
    return [
        Offence(
            OffenceKind.WRONG_CLAIM,
            one.transaction_id,
            f"{one.reference} is claimed by {claims.get(one.reference, 'no transaction')}.",
        )
        for one in chunk
        if claims.get(one.reference) != one.transaction_id
    ]
