"""Writes the books to PostgreSQL: a transaction a batch, a handful of set statements whatever its
size.

The accounts are locked first, in the order of their ids, then what exists is read, then all is
written: in separate statements, since a lock wait does not refresh its own statement's snapshot. A
reference that another process claims in between fails the batch with 23505; the whole then runs
again and finds it.
"""

from collections.abc import Callable, Iterable, Sequence

from chassis.clock import Clock, utc_now
from chassis.database import Database, Transaction, columns
from chassis.ids import new_id
from chassis.telemetry import logger
from ledger_svc import rows, statements
from ledger_svc.domain.account import Account, NewAccount
from ledger_svc.domain.books import Books, Outcome, Reversal, ReversalOutcome
from ledger_svc.domain.errors import Refusal
from ledger_svc.domain.transaction import Posting, reversal_reference
from ledger_svc.domain.transaction import Transaction as LedgerTransaction
from ledger_svc.group_commit import GroupCommit


class LedgerStore:
    """The books, for writing.

    Args:
        database: opened as the app role.
        batches_in_flight: see `GroupCommit`; for postings and for reversals each.
        clock: tells `created_at`.
    """

    def __init__(
        self, database: Database, *, batches_in_flight: int = 2, clock: Clock = utc_now
    ) -> None:
        self._database = database
        self._clock = clock
        self._log = logger()
        self._postings = GroupCommit(self._run_postings, in_flight=batches_in_flight)
        self._reversals = GroupCommit(self._run_reversals, in_flight=batches_in_flight)

    async def open_accounts(self, asked: Sequence[NewAccount]) -> Sequence[Account | Refusal]:
        """Open the accounts that are not there yet; answer each in order.

        Raises:
            Unavailable: the database did not answer; asking again is safe.
        """
        found = await self._database.run(lambda tx: self._open(tx, asked))
        return [_opened(found[item.account_id], item) for item in asked]

    async def post(self, postings: Sequence[Posting]) -> Sequence[Outcome]:
        """Post transactions, each whole or not at all; answer each in order.

        Raises:
            Unavailable: the database did not answer; asking again is safe.
            ResourceExhausted: too much is waiting.
        """
        return await self._postings.submit(postings)

    async def reverse(self, reversal: Reversal) -> ReversalOutcome:
        """Reverse one transaction, or close its reference.

        Raises:
            Unavailable: the database did not answer; asking again is safe.
            ResourceExhausted: too much is waiting.
        """
        (outcome,) = await self._reversals.submit([reversal])
        return outcome

    async def _open(self, tx: Transaction, asked: Sequence[NewAccount]) -> dict[str, Account]:
        found = await _accounts(tx, statements.ACCOUNTS, [item.account_id for item in asked])
        missing = {a.account_id: a for a in reversed(asked) if a.account_id not in found}
        if not missing:
            return found
        now = self._clock()
        values = [
            (a.account_id, a.type.value, a.currency, a.floor.amount if a.floor else None, now)
            for _, a in sorted(missing.items())
        ]
        await tx.execute(statements.OPEN_ACCOUNTS, columns(values, 5))
        return found | await _accounts(tx, statements.ACCOUNTS, list(missing))

    async def _run_postings(self, postings: Sequence[Posting]) -> Sequence[Outcome]:
        outcomes = await self._database.run(lambda tx: self._post(tx, postings))
        self._log.debug("posted", count=len(postings))
        return outcomes

    async def _post(self, tx: Transaction, postings: Sequence[Posting]) -> list[Outcome]:
        accounts = await _lock(tx, (line.account_id for p in postings for line in p.lines))
        known, closed = await _claimed(tx, [p.reference for p in postings])
        books = self._books(accounts, known, closed, len(postings))
        outcomes = [books.post(posting) for posting in postings]
        await _write(tx, books)
        return outcomes

    async def _run_reversals(self, asked: Sequence[Reversal]) -> Sequence[ReversalOutcome]:
        outcomes = await self._database.run(lambda tx: self._reverse(tx, asked))
        self._log.debug("reversed", count=len(asked))
        return outcomes

    async def _reverse(self, tx: Transaction, asked: Sequence[Reversal]) -> list[ReversalOutcome]:
        # What is reversed never changes, so it may be read before the lock; whether it has been
        # reversed may change, and is read after it.
        known, closed = await _claimed(tx, [item.reference for item in asked])
        accounts = await _lock(tx, (entry.account_id for t in known for entry in t.entries))
        undone, kept_out = await _claimed(tx, [reversal_reference(t.reference) for t in known])
        books = self._books(accounts, [*known, *undone], [*closed, *kept_out], len(asked))
        outcomes = [books.reverse(item) for item in asked]
        await _write(tx, books)
        return outcomes

    def _books(
        self,
        accounts: Iterable[Account],
        known: Iterable[LedgerTransaction],
        closed: Iterable[str],
        count: int,
    ) -> Books:
        now = self._clock()
        # Sorted, so that within a batch too a later transaction has the greater id.
        ids = iter(sorted(new_id("txn", now) for _ in range(count)))
        next_id: Callable[[], str] = ids.__next__
        return Books(accounts, known, closed, now=now, new_transaction_id=next_id)


def _opened(account: Account, asked: NewAccount) -> Account | Refusal:
    try:
        account.require_same(asked)
    except Refusal as refusal:
        return refusal
    return account


async def _accounts(tx: Transaction, query: str, account_ids: Sequence[str]) -> dict[str, Account]:
    found = map(rows.to_account, await tx.all(query, [account_ids]))
    return {account.account_id: account for account in found}


async def _lock(tx: Transaction, account_ids: Iterable[str]) -> Sequence[Account]:
    found = await _accounts(tx, statements.LOCK_ACCOUNTS, sorted(set(account_ids)))
    return list(found.values())


async def _claimed(
    tx: Transaction, references: Sequence[str]
) -> tuple[list[LedgerTransaction], list[str]]:
    """Find the transactions of references, and which of the references are closed."""
    found = await tx.all(statements.CLAIMED, [sorted(set(references))])
    closed = [row["claimed"] for row in found if row["is_closed"]]
    return rows.to_transactions([row for row in found if not row["is_closed"]]), closed


async def _write(tx: Transaction, books: Books) -> None:
    if books.posted or books.closings:
        await tx.execute(statements.CLAIM, columns(rows.claim_rows(books), 4))
    if books.posted:
        transactions, entries = rows.transaction_rows(books.posted), rows.entry_rows(books.posted)
        await tx.execute(statements.INSERT_TRANSACTIONS, columns(transactions, 7))
        await tx.execute(statements.INSERT_ENTRIES, columns(entries, 9))
        changed = [(a.account_id, a.balance.amount, a.entry_count) for a in books.changed]
        await tx.execute(statements.UPDATE_ACCOUNTS, columns(changed, 3))
