"""Writes the books to PostgreSQL: a transaction a batch, three statements whatever its size.

The accounts are locked first, in the order of their ids, then what exists is read, then all is
written: in separate statements, since a lock wait does not refresh its own statement's snapshot. A
reference that another process claims in between fails the batch with 23505; the whole then runs
again and finds it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

from chassis.clock import Clock, utc_now
from chassis.database import Database, Transaction
from chassis.faults import FaultPoints
from chassis.telemetry import logger
from ledger_svc import batch_rows, lookup, rows, statements
from ledger_svc.arrays import texts
from ledger_svc.domain import errors
from ledger_svc.domain.account import Account, AccountStatus, NewAccount
from ledger_svc.domain.books import Books, Outcome
from ledger_svc.domain.chain import Head
from ledger_svc.domain.decisions import decide
from ledger_svc.domain.errors import Refusal
from ledger_svc.domain.posting import (
    Action,
    Command,
    Posting,
    Resolution,
    Reversal,
    result_reference,
)
from ledger_svc.domain.transaction import Transaction as LedgerTransaction
from ledger_svc.group_commit import GroupCommit
from ledger_svc.metrics import FENCED_WRITES
from ledger_svc.streams import Stream, StreamLost, Streams

_TICK = timedelta(microseconds=1)


class LedgerStore:
    """The books, for writing.

    Args:
        database: opened as the app role.
        batches_in_flight: see `GroupCommit`.
        clock: tells `created_at`, as far as what is written already allows.
    """

    def __init__(
        self,
        database: Database,
        *,
        batches_in_flight: int = 2,
        clock: Clock = utc_now,
        faults: FaultPoints | None = None,
    ) -> None:
        self._database = database
        self._faults = faults or FaultPoints()
        self._clock = clock
        self._log = logger()
        self._streams = Streams(database)
        self._commands: GroupCommit[Command, Outcome] = GroupCommit(
            self._run, in_flight=batches_in_flight
        )

    async def open_accounts(self, asked: Sequence[NewAccount]) -> Sequence[Account | Refusal]:
        """Open the accounts that are not there yet; answer each in order.

        Raises:
            Unavailable: the database did not answer; asking again is safe.
        """
        found = await self._database.run(lambda tx: self._open(tx, asked))
        return [_opened(found[item.account_id], item) for item in asked]

    async def change_status(
        self, account_id: str, to: AccountStatus, *, reason: str, actor: str
    ) -> Account:
        """Freeze, unfreeze or close an account, and keep by whom and why.

        Raises:
            AccountNotFound, AccountClosed, AccountNotEmpty: see `Account.with_status`.
            Unavailable: the database did not answer; asking again is safe.
        """

        async def work(tx: Transaction) -> Account:
            locked = await _lock(tx, [account_id], self._clock())
            if not locked:
                raise errors.AccountNotFound(account_id)
            account = locked[0]
            after = account.with_status(to)
            if after.status is not account.status:
                await tx.execute(statements.CHANGE_STATUS, [to.value, account.key])
                values = {"key": account.key, "from": account.status.value, "to": to.value}
                told = {"reason": reason, "actor": actor, "at": self._clock()}
                await tx.execute(statements.RECORD_CHANGE, {**values, **told})
            (row,) = await tx.all(statements.ACCOUNTS, [texts([account_id])])
            return rows.to_account(row)

        return await self._database.run(work)

    async def do(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        """Post, resolve and reverse, each whole or not at all; answer each in order.

        Raises:
            Unavailable: the database did not answer; asking again is safe.
            ResourceExhausted: too much is waiting.
        """
        return await self._commands.submit(commands)

    async def expire(self, *, limit: int) -> int:
        """Expire pending transactions that had their time, `limit` at most; tell how many were
        looked at.

        Raises:
            Unavailable: the database did not answer; asking again is safe.
        """
        due = await self._database.read(statements.EXPIRED, [self._clock(), limit])
        if due:
            await self.do([Resolution(row["reference"], Action.EXPIRE) for row in due])
        return len(due)

    async def _open(self, tx: Transaction, asked: Sequence[NewAccount]) -> dict[str, Account]:
        found = await _accounts(tx, [item.account_id for item in asked])
        missing = {a.account_id: a for a in reversed(asked) if a.account_id not in found}
        if not missing:
            return found
        new = [account for _, account in sorted(missing.items())]
        values = batch_rows.new_accounts(new)
        await tx.execute(statements.OPEN_ACCOUNTS, [*values, self._clock()])
        return found | await _accounts(tx, list(missing))

    async def _run(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        while True:
            try:
                async with self._streams.lent() as stream:
                    work = partial(self._decide, stream=stream, commands=commands)
                    outcomes, stream.head = await self._database.run(work)
            except StreamLost:
                FENCED_WRITES.labels("stream").inc()
                self._log.info("stream_lost")
                continue
            await self._faults.reach("ledger.batch.committed")
            self._log.debug("written", count=len(commands))
            return outcomes

    async def _decide(
        self, tx: Transaction, *, stream: Stream, commands: Sequence[Command]
    ) -> tuple[list[Outcome], Head]:
        # What is reversed or resolved never changes, so it may be read before the lock; what has
        # become of it may change, and is read after it.
        bases = [c.reference for c in commands if not isinstance(c, Posting)]
        known = await lookup.claimed(tx, bases) if bases else lookup.Claims()
        asked_at = self._clock()
        accounts = await _lock(tx, _touched(commands, known.transactions), asked_at)
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
        outcomes = decide(books, commands)
        await _write(tx, stream, books)
        await self._faults.reach("ledger.batch.written")
        return outcomes, books.head

    def _now(self, head: Head, accounts: Iterable[Account]) -> datetime:
        """Later than whatever the batch follows, though clocks may differ or go back.

        An account without an entry since the batch began says just before that: never too early.
        """
        last = max((account.last_entry_at for account in accounts), default=head.written_at)
        return max(self._clock(), last + _TICK, head.written_at + _TICK)


def _opened(account: Account, asked: NewAccount) -> Account | Refusal:
    try:
        account.require_same(asked)
    except Refusal as refusal:
        return refusal
    return account


def _touched(commands: Iterable[Command], known: Iterable[LedgerTransaction]) -> set[str]:
    names = {line.account_id for command in commands for line in command.lines}
    return names.union(line.account_id for transaction in known for line in transaction.lines)


async def _accounts(tx: Transaction, account_ids: Sequence[str]) -> dict[str, Account]:
    found = map(rows.to_account, await tx.all(statements.ACCOUNTS, [texts(account_ids)]))
    return {account.account_id: account for account in found}


async def _lock(tx: Transaction, account_ids: Iterable[str], asked_at: datetime) -> list[Account]:
    found = await tx.tuples(statements.LOCK_ACCOUNTS, [asked_at, texts(sorted(account_ids))])
    latest = asked_at - _TICK
    return [rows.to_locked(row, latest) for row in found]


async def _write(tx: Transaction, stream: Stream, books: Books) -> None:
    if not (books.written or books.closings):
        return
    place = {
        "stream": stream.head.stream,
        "epoch": stream.epoch,
        "number_before": stream.head.number,
        "number": books.head.number,
        "hash": books.head.hash,
    }
    (row,) = await tx.all(statements.WRITE, {**batch_rows.batch(books), **place})
    if not row["held"]:
        raise StreamLost
    if pendings := batch_rows.pendings(books):
        await tx.execute(statements.WRITE_PENDINGS, pendings)
    if resolved := batch_rows.resolved(books):
        await tx.execute(statements.CLOSE_PENDINGS, [texts(resolved)])
