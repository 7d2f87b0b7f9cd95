"""Goes through the books, one transaction after the other, and holds all else against them."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ledger_svc.domain import chain
from ledger_svc.domain.chain import Head
from ledger_svc.domain.checkpoint import Checkpoint, checkpoint_offences
from ledger_svc.domain.seal import Seal, SealedHead, seal_offences
from ledger_svc.domain.transaction import Transaction
from ledger_svc.domain.verification import Followed, Offence, OffenceKind, Verifier
from ledger_svc.ports import LedgerVerification, Snapshot, Stretch
from ledger_svc.use_cases.kept_balances import hash_of, take_kept
from paging.slices import slices

# What is read and looked at in one piece, while others wait.
CHUNK, AT_ONCE, SEALS = 200, 20, 50
OFFENCES_TOLD_MAX = 100
_UNSEEN = Followed()

# Sorts behind every transaction.
END = "txn_" + "f" * 32


@dataclass(frozen=True, slots=True)
class Progress:
    """How many transactions have been looked at, of how many."""

    done: int
    total: int


@dataclass(slots=True)
class Told:
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


@dataclass(slots=True)
class Seals:
    """The seals, a page at a time, as far ahead as the walk needs them."""

    books: LedgerVerification
    verifier: Verifier
    known: dict[int, bytes] = field(default_factory=dict)
    count: int = 0
    reach: dict[int, SealedHead] = field(default_factory=dict)  # the newest sealed, by stream
    _last: Seal | None = None
    _is_whole: bool = False

    async def cover(self, streams: Mapping[int, int]) -> AsyncIterator[Offence]:
        """Read on until every seal of these numbers is at hand, by stream; tell what is wrong."""
        while not self._is_whole and any(
            number > self._reached(stream).number for stream, number in streams.items()
        ):
            async for offence in self._next_page():
                yield offence

    async def finish(self) -> AsyncIterator[Offence]:
        """Read all that are left, and hold what others know against them."""
        while not self._is_whole:
            async for offence in self._next_page():
                yield offence
        for number in sorted(self.known):
            yield _wrong_seal(number, "It is known elsewhere, and is not there.")

    async def _next_page(self) -> AsyncIterator[Offence]:
        after = self._last.number if self._last is not None else 0
        page = await self.books.seals(after=after, limit=SEALS)
        self._is_whole = not page
        for offence in seal_offences(page, self._last):
            yield offence
        for seal in page:
            self.count, self._last = self.count + 1, seal
            if self.known.pop(seal.number, seal.hash) != seal.hash:
                yield _wrong_seal(seal.number, "It is known elsewhere with another hash.")
            for offence in self._take(seal):
                yield offence

    def _take(self, seal: Seal) -> Iterator[Offence]:
        """Remember the hashes that are still to come; hold others against what is known of them."""
        for head in seal.heads:
            stream, number, hash_ = head
            reached = self._reached(stream)
            if head == reached:  # it has not moved
                continue
            seen = self.verifier.streams.get(stream, _UNSEEN)
            # What an earlier seal keeps goes first: a hash that is wrong is told once.
            known = reached if reached.number == number else seen
            if known.number == number and known.hash != hash_:
                yield _wrong_seal(seal.number, _other_hash(head))
            if number > seen.number:
                self.verifier.sealed.setdefault((stream, number), hash_)
            if number > reached.number:
                self.reach[stream] = head

    def _reached(self, stream: int) -> SealedHead:
        return self.reach.get(stream) or SealedHead(stream, 0, chain.GENESIS)


@dataclass(slots=True)
class Walk:
    """One way through the books as they stood at a moment.

    Args:
        heads: where the streams ended then; what came later is passed over.
        total: how many transactions there are to see, at most.
        early: what was wrong before the first transaction was read.
        after: everything up to and with this id has been looked at; empty: nothing.
        last: the last transaction that was.
        beyond: the furthest place of each stream that was passed over, and the id there.
    """

    books: LedgerVerification
    snapshot: Snapshot
    heads: Mapping[int, Head]
    verifier: Verifier
    seals: Seals
    total: int
    told: Told = field(default_factory=Told)
    done: int = 0
    after: str = ""
    last: str = ""
    beyond: dict[int, tuple[int, str]] = field(default_factory=dict)
    early: list[Offence] = field(default_factory=list)

    async def up_to(self, before: str) -> AsyncIterator[Progress | Offence]:
        """Look at everything up to an id, in order; tell how far it is and what is wrong."""
        async for stretch in _stretches(self.books, self.after, before):
            async for told in self._look_at(stretch):
                yield told
            if stretch.transactions:
                self.last = stretch.transactions[-1].transaction_id
        self.after = _previous(before)

    async def finish(self) -> AsyncIterator[Offence]:
        """Hold the ends against what was seen."""
        found = [offence async for offence in self.seals.finish()]
        now = {head.stream: head for head in await self.books.heads()}
        found += self.verifier.finish_streams(self.heads)
        found += _hidden(self.beyond, now)
        found += _sealed_and_gone(self.seals.reach, now)
        found += self.verifier.finish_pendings(self.snapshot.open_references)
        for offence in self.told.some(found):
            yield offence
        reserved = self.verifier.reserved()
        async for names in slices(self.verifier.accounts):
            for offence in self.told.some(self.verifier.finish_accounts(names, reserved)):
                yield offence

    async def hidden(self) -> list[Offence]:
        """Tell of what was passed over and cannot have come later: no stream has got so far."""
        now = {head.stream: head for head in await self.books.heads()}
        return self.told.some(_hidden(self.beyond, now))

    async def balances_hash(self) -> bytes:
        """Hash what the accounts have so far."""
        return await hash_of(self.verifier.walked)

    async def _look_at(self, stretch: Stretch) -> AsyncIterator[Progress | Offence]:
        """Look at a stretch; what is past the heads came later, and is passed over."""
        reached, known = dict[int, int](), list[tuple[Transaction, str]]()
        for one, claim in zip(stretch.transactions, stretch.claims, strict=True):
            if self._is_within(one.transaction_id):
                stream, number = chain.place(one.transaction_id)
                reached[stream] = number
                known.append((one, claim))
        self.done += len(known)
        found = [offence async for offence in self.seals.cover(reached)]
        take = self.verifier.take
        async for piece in slices(known, AT_ONCE):
            for one, claim in piece:
                found += take(one)
                if claim != one.transaction_id:
                    found.append(_wrong_claim(one, claim))
        found += _strays(name for name in stretch.strays if self._is_within(name))
        for offence in self.told.some(found):
            yield offence
        yield Progress(min(self.done, self.total), self.total)

    def _is_within(self, transaction_id: str) -> bool:
        """Tell whether an id was there at the moment; keep the furthest of those that were not."""
        stream, number = chain.place(transaction_id)
        if stream in self.heads and number <= self.heads[stream].number:
            return True
        self.beyond[stream] = max(self.beyond.get(stream, (0, "")), (number, transaction_id))
        return False


async def begin(
    books: LedgerVerification,
    checkpoints: Sequence[Checkpoint],
    base: Checkpoint | None,
    known_seals: Mapping[int, bytes] | None = None,
) -> Walk:
    """Take the moment that is walked to, and begin at a checkpoint, or at the first transaction.

    Args:
        books: read while they are written to.
        checkpoints: all of them.
        base: one of them to begin at; None for the first transaction.
        known_seals: hashes by number that seals must have.
    """
    snapshot = await books.snapshot(base.until if base is not None else None)
    heads = {head.stream: head for head in snapshot.heads}
    verifier = Verifier(snapshot.accounts)
    seals = Seals(books, verifier, dict(known_seals or {}))
    walk = Walk(books, snapshot, heads, verifier, seals, sum(h.number for h in snapshot.heads))
    walk.early += walk.told.some(checkpoint_offences(checkpoints))
    if base is not None:
        await _resume(walk, base)
    return walk


async def _resume(walk: Walk, base: Checkpoint) -> None:
    verifier = walk.verifier
    walk.early += walk.told.some(await take_kept(walk.books, base, verifier.walked))
    verifier.transaction_count, verifier.entry_count = base.transaction_count, base.entry_count
    verifier.effective_until = base.effective_until
    verifier.open_lines = dict(walk.snapshot.open_lines)
    verifier.streams = {head.stream: Followed(head.number, head.hash) for head in base.heads}
    walk.after = walk.last = _previous(chain.first_id(base.until))
    walk.total -= base.transaction_count


def _previous(transaction_id: str) -> str:
    """Name the id right before another."""
    return f"txn_{int(transaction_id[4:], 16) - 1:032x}"


def _hidden(beyond: Mapping[int, tuple[int, str]], now: Mapping[int, Head]) -> Iterator[Offence]:
    """Tell of places that no stream has come to by now; one that began meanwhile has a head now."""
    for stream, (number, transaction_id) in sorted(beyond.items()):
        head = now.get(stream)
        if head is None:
            told = f"It has {transaction_id}, and no head."
            yield Offence(OffenceKind.WRONG_STREAM, f"stream {stream}", told)
        elif number > head.number:
            told = f"It is number {number} of stream {stream}, which ends at {head.number}."
            yield Offence(OffenceKind.WRONG_STREAM, transaction_id, told)


def _sealed_and_gone(reach: Mapping[int, SealedHead], now: Mapping[int, Head]) -> list[Offence]:
    """Tell of streams that end before what a seal keeps of them."""
    return [
        Offence(
            OffenceKind.WRONG_SEAL,
            f"stream {stream}",
            f"A seal keeps its transaction {head.number}, and it ends before that.",
        )
        for stream, head in sorted(reach.items())
        if stream not in now or now[stream].number < head.number
    ]


def _wrong_claim(one: Transaction, claim: str) -> Offence:
    return Offence(
        OffenceKind.WRONG_CLAIM,
        one.transaction_id,
        f"{one.reference} is claimed by {claim or 'no transaction'}.",
    )


def _strays(transaction_ids: Iterable[str]) -> Iterator[Offence]:
    """Tell of entries that no transaction has: balances at a time would be taken from them."""
    for name in transaction_ids:
        yield Offence(OffenceKind.WRONG_STREAM, name, "It has entries, and is not there.")


async def _stretches(books: LedgerVerification, after: str, before: str) -> AsyncIterator[Stretch]:
    """Read stretch after stretch, each while the one before it is looked at."""
    coming = asyncio.create_task(_read(books, after, before))
    try:
        while True:
            stretch = await coming
            # To the very end, past what the heads say: there something could be hidden.
            is_last = len(stretch.transactions) < CHUNK
            if not is_last:
                last = stretch.transactions[-1].transaction_id
                coming = asyncio.create_task(_read(books, last, before))
            yield stretch
            if is_last:
                return
    finally:
        coming.cancel()


async def _read(books: LedgerVerification, after: str, before: str) -> Stretch:
    return await books.stretch(after, before=before, limit=CHUNK)


def _other_hash(head: SealedHead) -> str:
    return f"It keeps another hash of transaction {head.number} of stream {head.stream}."


def _wrong_seal(number: int, message: str) -> Offence:
    return Offence(OffenceKind.WRONG_SEAL, f"seal {number}", message)
