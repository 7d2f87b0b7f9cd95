"""One batch is written while the next is decided, on what the first will leave.

So this process works while PostgreSQL does. Batches are written one after the other, in the order
in which they were decided, to one stream; a batch is answered when it is on disk. A batch that
fails takes the one behind it along: what that was decided on did not come about. Both are decided
again, under locks, as is whatever undoes or ends what was written before.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

from chassis.clock import Clock
from chassis.database import Database, Transaction
from chassis.faults import FaultPoints
from chassis.telemetry import FENCED_WRITES, logger
from ledger_svc import lookup
from ledger_svc.batch import Batch, Overtaken, touched, write, write_unlocked
from ledger_svc.domain.account import Account
from ledger_svc.domain.books import Books, Outcome
from ledger_svc.domain.chain import Head
from ledger_svc.domain.decisions import decide
from ledger_svc.domain.posting import Command, Posting, Reversal, result_reference
from ledger_svc.known_accounts import KnownAccounts
from ledger_svc.recent_transactions import RecentTransactions
from ledger_svc.streams import Stream, lease

_TICK = timedelta(microseconds=1)
_WARY_BATCHES_MAX = 64


class Pipeline:
    """Decides and writes batches of commands.

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
        # Whoever writes has held `deciding` until then; so both have one order.
        self._deciding, self._writing = asyncio.Lock(), asyncio.Lock()
        self._known, self._recent = KnownAccounts(), RecentTransactions()
        self._stream: Stream | None = None
        self._round = 0  # what was decided in an earlier one was decided on what did not happen
        self._is_redoing = False
        self._misses = self._wary = 0

    async def run(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        """Do commands, each whole or not at all, in one transaction; answer each in order.

        Raises:
            Unavailable: the database did not answer; asking again is safe.
        """
        async with self._deciding:
            if not self._trusts(commands):
                async with self._writing:
                    return await self._locked(commands)
            if self._is_redoing:
                async with self._writing:
                    pass  # what it leaves is known then
            batch = await self._decide(commands)
            await self._writing.acquire()
        try:
            return await self._write(commands, batch)
        finally:
            self._writing.release()

    def _trusts(self, commands: Sequence[Command]) -> bool:
        """Tell whether to decide on what is known. Where others write to the same accounts it is
        mostly wrong: the more often it was, the longer it is not asked.
        """
        if self._wary:
            self._wary -= 1
            return False
        return all(isinstance(command, Posting) for command in commands)

    async def _decide(self, commands: Sequence[Command]) -> tuple[int, Batch] | None:
        """Decide on what is known, and tell in which round; None when that has ended meanwhile."""
        round_ = self._round
        stream = await self._leased()
        names = touched(commands)
        if missing := self._known.missing(names):
            read = partial(lookup.accounts, account_ids=missing, asked_at=self._clock())
            accounts = await self._database.run(read, alone=True)
            if self._round == round_:
                self._known.learn(accounts)
        if self._round != round_ or self._stream is not stream:
            return None
        start = stream.head
        accounts, standings = self._known.recall(names)
        now = self._now(start, accounts)
        known = self._recent.find(commands)
        books = Books(accounts, known, (), standings=standings, head=start, now=now)
        batch = Batch(commands, decide(books, commands), books, stream)
        stream.head = books.head
        self._follow(books)
        return round_, batch

    async def _write(
        self, commands: Sequence[Command], decided: tuple[int, Batch] | None
    ) -> Sequence[Outcome]:
        """Write what was decided, or decide it again."""
        if decided is not None and decided[0] == self._round:
            _, batch = decided
            try:
                work = partial(write_unlocked, batch=batch)
                await self._faults.reach("ledger.batch.decided")
                await self._database.run(work, alone=batch.is_one_statement)
            except Overtaken:
                self._doubt(batch)
            except BaseException:
                self._lose()
                raise
            else:
                await self._faults.reach("ledger.batch.committed")
                self._misses = 0
                self._log.debug("written", count=len(commands))
                return batch.outcomes
        self._is_redoing = True
        try:
            return await self._locked(commands)
        finally:
            self._is_redoing = False

    async def _locked(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        """Lock, decide and write, with nobody before or behind."""
        while True:
            stream = await self._leased()
            work = partial(self._lock_and_write, stream=stream, commands=commands)
            try:
                batch = await self._database.run(work)
            except Overtaken:  # of the stream alone, since the accounts are locked
                FENCED_WRITES.labels("stream").inc()
                self._log.info("stream_lost")
                self._lose()
                continue
            except BaseException:
                self._lose()
                raise
            await self._faults.reach("ledger.batch.committed")
            stream.head = batch.books.head
            self._known.learn(batch.books.accounts.values())
            self._follow(batch.books)
            self._log.debug("written", count=len(commands))
            return batch.outcomes

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

    async def _leased(self) -> Stream:
        if self._stream is None:
            self._stream = await lease(self._database)
        return self._stream

    def _follow(self, books: Books) -> None:
        """Know what a batch makes of the books, though it is not written yet."""
        self._known.follow(books)
        self._recent.keep(books.written)

    def _doubt(self, batch: Batch) -> None:
        """Nothing of a batch was written, since the books were not as they were known."""
        self._log.info("decided_again", count=len(batch.commands))
        stream = self._stream
        self._lose()
        if stream is not None:
            stream.head = batch.start
            self._stream = stream
        self._misses += 1
        self._wary = min(2**self._misses, _WARY_BATCHES_MAX) - 2

    def _lose(self) -> None:
        """Nobody knows what was written: let the stream go, whose row tells who leases it next."""
        self._round += 1
        self._stream = None
        self._known.forget()
        self._recent.forget()

    def _now(self, head: Head, accounts: Iterable[Account]) -> datetime:
        """Later than whatever the batch follows, though clocks may differ or go back.

        What an account says is as old as its reading; what was written since, was to this stream.
        An account without an entry since the batch began says just before that: never too early.
        """
        last = max((account.last_entry_at for account in accounts), default=head.written_at)
        return max(self._clock(), last + _TICK, head.written_at + _TICK)
