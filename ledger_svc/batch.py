"""A batch on its way to disk: decided on the books, then written as one statement.

It may be decided on what the process knows of its accounts, without a lock. Then writing it holds
what it was decided on against the books: each account that it changes must be as it was known, and
what it refuses must still be refused. Else nothing is written, and the batch is decided again.
"""

from collections.abc import Iterable, Sequence

import psycopg

from bookkeeping.arrays import texts
from bookkeeping.pipeline import Overtaken
from chassis.database import Transaction
from ledger_svc import batch_rows, lookup, statements
from ledger_svc.domain.account import Account
from ledger_svc.domain.books import Books, Outcome
from ledger_svc.domain.errors import Refusal
from ledger_svc.domain.posting import Command, result_reference
from ledger_svc.domain.transaction import Transaction as LedgerTransaction
from ledger_svc.streams import Stream


class Batch:
    """Commands, what they came to, and the rows that say so, made ahead of their writing.

    Args:
        commands, outcomes: what was asked for, and the answers.
        books: what was decided on, as the outcomes leave it.
        stream: where the stream ended before, under its lease.
    """

    def __init__(
        self,
        commands: Sequence[Command],
        outcomes: Sequence[Outcome],
        books: Books,
        stream: Stream,
    ) -> None:
        self.commands = commands
        self.outcomes = outcomes
        self.books = books
        self.start = stream.head
        self.writes = bool(books.written or books.closings)
        self.pendings = batch_rows.pendings(books)
        self.resolved = batch_rows.resolved(books)
        self.refused = [
            command
            for command, outcome in zip(commands, outcomes, strict=True)
            if isinstance(outcome, Refusal)
        ]
        place = {
            "stream": self.start.stream,
            "epoch": stream.epoch,
            "number_before": self.start.number,
            "number": books.head.number,
            "hash": books.head.hash,
        }
        self.rows = {**batch_rows.batch(books), **place} if self.writes else {}

    @property
    def is_one_statement(self) -> bool:
        """Whether writing it is one statement, which needs no BEGIN and COMMIT around it."""
        return self.writes and not (self.pendings or self.resolved or self.refused)


def touched(commands: Iterable[Command], known: Iterable[LedgerTransaction] = ()) -> set[str]:
    """Name the accounts that commands touch, `known` being what they undo or end."""
    names = {line.account_id for command in commands for line in command.lines}
    return names.union(line.account_id for transaction in known for line in transaction.lines)


async def write(tx: Transaction, batch: Batch) -> None:
    """Write what was decided.

    Raises:
        Overtaken: an account is not as the books had it, or another writer has leased the stream.
    """
    if not batch.writes:
        return
    try:
        await tx.execute(statements.WRITE, batch.rows)
    except psycopg.errors.DivisionByZero as error:
        raise Overtaken from error
    if batch.pendings:
        await tx.execute(statements.WRITE_PENDINGS, batch.pendings)
    if batch.resolved:
        await tx.execute(statements.CLOSE_PENDINGS, [texts(batch.resolved)])


async def write_unlocked(tx: Transaction, batch: Batch) -> None:
    """Write what was decided without a lock, if all of it still holds.

    Raises:
        Overtaken: as `write`; or a reference is claimed.
    """
    try:
        await write(tx, batch)
    except psycopg.errors.UniqueViolation as error:
        raise Overtaken from error
    if batch.refused:
        await _require_refused(tx, batch.books, batch.refused)


async def _require_refused(tx: Transaction, books: Books, refused: Sequence[Command]) -> None:
    """Make sure that refusals hold: their accounts are as they were, their references not there."""
    changed = {account.account_id for account, _ in books.changed}
    names = touched(refused) - changed
    now = {account.account_id: account for account in await lookup.accounts(tx, names, books.now)}
    if any(not _same(books, now.get(name), name) for name in names):
        raise Overtaken
    # What is known of, written by this batch or before, is there for good: so it was refused.
    references = {result_reference(command) for command in refused} - books.transactions.keys()
    if references and await tx.all(statements.CLAIMED, [texts(sorted(references))]):
        raise Overtaken


def _same(books: Books, now: Account | None, name: str) -> bool:
    known = books.accounts.get(name)
    if known is None or now is None:
        return known is now
    return known.status is now.status and books.before[name] == now.standing
