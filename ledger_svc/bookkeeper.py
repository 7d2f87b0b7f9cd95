"""Keeps the ledger's books: decides batches of commands and writes them, to one stream.

What it knows of accounts is hearsay: the statement that writes a batch holds each account against
what the batch was decided on, and the stream's end as well. Postings are decided ahead; whatever
undoes or ends what was written before is decided under locks.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from bookkeeping.pipeline import Overtaken
from chassis.clock import Clock
from chassis.database import Database, Transaction
from chassis.faults import FaultPoints
from chassis.telemetry import FENCED_WRITES, logger
from ledger_svc import lookup
from ledger_svc.batch import Batch, touched, write, write_unlocked
from ledger_svc.domain.account import Account
from ledger_svc.domain.books import Books, Outcome
from ledger_svc.domain.chain import Head
from ledger_svc.domain.decisions import decide
from ledger_svc.domain.posting import Command, Posting, Reversal, result_reference
from ledger_svc.known_accounts import KnownAccounts
from ledger_svc.recent_transactions import RecentTransactions
from ledger_svc.streams import Stream, lease

_TICK = timedelta(microseconds=1)


class Found(NamedTuple):
    """What is needed to decide: the stream, the accounts by name, and those not known before."""

    stream: Stream
    names: set[str]
    accounts: Sequence[Account]


class LedgerBookkeeper:
    """Decides and writes batches of commands, as a pipeline has it.

    Args:
        database: opened as the app role.
        clock: tells `created_at`, as far as what is written already allows.
        faults: where a test may end the process.
    """

    def __init__(self, database: Database, clock: Clock, faults: FaultPoints) -> None:
        self._database = database
        self._clock = clock
        self._faults = faults
        self._log = logger()
        self._known, self._recent = KnownAccounts(), RecentTransactions()
        self._stream: Stream | None = None

    def can_go_ahead(self, commands: Sequence[Command]) -> bool:
        """Tell whether all are postings."""
        return all(isinstance(command, Posting) for command in commands)

    async def look_up(self, commands: Sequence[Command]) -> Found:
        """Find the accounts that are not known; lease a stream if there is none.

        Raises:
            Unavailable: the database did not answer.
        """
        stream = await self._leased()
        names = touched(commands)
        missing = self._known.missing(names)
        if not missing:
            return Found(stream, names, ())
        read = partial(lookup.accounts, account_ids=missing, asked_at=self._clock())
        return Found(stream, names, await self._database.run(read, alone=True))

    def decide(self, commands: Sequence[Command], found: Found) -> Batch | None:
        """Decide on the accounts as the last batch leaves them; None when another stream is ours
        by now.
        """
        stream, names, accounts = found
        if accounts:
            self._known.learn(accounts)
        if self._stream is not stream:
            return None
        start = stream.head
        known, standings = self._known.recall(names)
        now = self._now(start, known)
        written = self._recent.find(commands)
        books = Books(known, written, (), standings=standings, head=start, now=now)
        batch = Batch(commands, decide(books, commands), books, stream)
        stream.head = books.head
        self._follow(books)
        return batch

    async def write(self, batch: Batch) -> Sequence[Outcome]:
        """Write a batch, if all that it was decided on still holds.

        Raises:
            Overtaken: it does not.
            Unavailable: the database did not answer.
        """
        await self._faults.reach("ledger.batch.decided")
        work = partial(write_unlocked, batch=batch)
        await self._database.run(work, alone=batch.is_one_statement)
        await self._committed(batch)
        return batch.outcomes

    async def lock_and_write(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        """Lock, look up, decide and write.

        Raises:
            Overtaken: another writer has leased the stream.
            Unavailable: the database did not answer.
        """
        stream = await self._leased()
        work = partial(self._lock_and_write, stream=stream, commands=commands)
        try:
            batch = await self._database.run(work)
        except Overtaken:  # of the stream alone, since the accounts are locked
            FENCED_WRITES.labels("stream").inc()
            self._log.info("stream_lost")
            raise
        await self._committed(batch)
        stream.head = batch.books.head
        self._known.learn(batch.books.accounts.values())
        self._follow(batch.books)
        return batch.outcomes

    def take_back(self, batch: Batch) -> None:
        """Know nothing any more, but where the stream ends: where it did before the batch."""
        stream = self._stream
        self.forget()
        if stream is not None:
            stream.head = batch.start
            self._stream = stream

    def forget(self) -> None:
        """Know nothing any more, and let the stream go: its row tells who leases it next."""
        self._stream = None
        self._known.forget()
        self._recent.forget()

    async def _lock_and_write(
        self, tx: Transaction, *, stream: Stream, commands: Sequence[Command]
    ) -> Batch:
        # What is reversed or resolved never changes, so it may be read before the lock; what has
        # become of it may change, and is read after it.
        bases = [c.reference for c in commands if not isinstance(c, Posting)]
        known = await lookup.claimed(tx, bases) if bases else lookup.Claims()
        asked_at = self._clock()
        accounts = await lookup.lock(tx, touched(commands, known.transactions), asked_at)
        results = await lookup.claimed(tx, [result_reference(c) for c in commands])
        claims = known | results
        reversed_ = [c.reference for c in commands if isinstance(c, Reversal)]
        books = Books(
            accounts,
            claims.transactions,
            claims.closed,
            archived=claims.archived,
            reversals=await lookup.reversals(tx, reversed_) if reversed_ else None,
            head=stream.head,
            now=self._now(stream.head, accounts),
        )
        batch = Batch(commands, decide(books, commands), books, stream)
        await self._faults.reach("ledger.batch.decided")
        await write(tx, batch)
        return batch

    async def _committed(self, batch: Batch) -> None:
        await self._faults.reach("ledger.batch.committed")
        self._log.debug("written", count=len(batch.commands))

    async def _leased(self) -> Stream:
        if self._stream is None:
            self._stream = await lease(self._database)
        return self._stream

    def _follow(self, books: Books) -> None:
        """Know what a batch makes of the books, though it may not be written yet."""
        self._known.follow(books)
        self._recent.keep(books.written)

    def _now(self, head: Head, accounts: Iterable[Account]) -> datetime:
        """Later than whatever the batch follows, though clocks may differ or go back.

        What an account says is as old as its reading; what was written since, was to this stream.
        An account without an entry since the batch began says just before that: never too early.
        """
        last = max((account.last_entry_at for account in accounts), default=head.written_at)
        return max(self._clock(), last + _TICK, head.written_at + _TICK)
