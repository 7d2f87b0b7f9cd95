"""What is in the books under names and references, read inside a transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import LiteralString

from psycopg.rows import DictRow

from bookkeeping.arrays import plain, texts
from chassis.database import Transaction
from ledger_svc import rows, statements
from ledger_svc.domain.account import Account
from ledger_svc.domain.transaction import Kind
from ledger_svc.domain.transaction import Transaction as LedgerTransaction


@dataclass(frozen=True, slots=True)
class Claims:
    """What became of references.

    Attributes:
        transactions: those that can be read.
        closed: references that no transaction will ever have.
        archived: ids of the transactions of the others, whose month is archived, by reference.
    """

    transactions: Sequence[LedgerTransaction] = ()
    closed: Sequence[str] = ()
    archived: Mapping[str, str] = field(default_factory=dict)

    def __or__(self, other: "Claims") -> "Claims":
        """Join the two."""
        return Claims(
            [*self.transactions, *other.transactions],
            [*self.closed, *other.closed],
            {**self.archived, **other.archived},
        )


async def lock(tx: Transaction, account_ids: Iterable[str], asked_at: datetime) -> list[Account]:
    """Lock accounts in the order of their keys, and read them; `asked_at` is now."""
    return await _read(tx, statements.LOCK_ACCOUNTS, account_ids, asked_at)


async def accounts(
    tx: Transaction, account_ids: Iterable[str], asked_at: datetime
) -> list[Account]:
    """Read accounts; `asked_at` is now."""
    return await _read(tx, statements.READ_ACCOUNTS, account_ids, asked_at)


async def _read(
    tx: Transaction, query: LiteralString, account_ids: Iterable[str], asked_at: datetime
) -> list[Account]:
    found = await tx.tuples(query, [asked_at, texts(sorted(account_ids))])
    latest = asked_at - timedelta(microseconds=1)
    return [rows.to_locked(row, latest) for row in found]


async def claimed(tx: Transaction, references: Sequence[str]) -> Claims:
    """Find what became of references; those that nobody has claimed are left out."""
    found = await tx.all(statements.CLAIMED, [texts(sorted(set(references)))])
    if not found:
        return Claims()
    closed = [row["reference"] for row in found if row["transaction_id"] is None]
    ids = {row["transaction_id"]: row["reference"] for row in found}
    ids.pop(None, None)
    heads = await tx.all(statements.TRANSACTIONS, [plain(ids)]) if ids else []
    away = ids.keys() - {row["transaction_id"] for row in heads}
    archived = {ids[name]: rows.to_name(name) for name in away}
    return Claims(await whole(tx, heads), closed, archived)


async def reversals(
    tx: Transaction, references: Sequence[str]
) -> dict[str, list[LedgerTransaction]]:
    """Find what was taken back of transactions, by their references."""
    heads = await tx.all(statements.REVERSALS_OF, [texts(sorted(set(references)))])
    found: dict[str, list[LedgerTransaction]] = {}
    for transaction in await whole(tx, heads):
        found.setdefault(transaction.heading.reverses_reference, []).append(transaction)
    return found


async def whole(tx: Transaction, heads: Sequence[DictRow]) -> list[LedgerTransaction]:
    """Read the entries and pending lines of transactions, and put all together."""
    if not heads:
        return []
    ids = plain([row["transaction_id"] for row in heads])
    entries = rows.by_transaction(await tx.all(statements.ENTRIES_OF, [ids]))
    # Of those alone: lines that somebody added to another are no part of what its hash tells.
    reserving = [row["transaction_id"] for row in heads if row["kind"] == Kind.PENDING]
    lines = await tx.all(statements.PENDING_LINES_OF, [plain(reserving)]) if reserving else []
    pending = rows.by_transaction(lines)
    return [
        rows.to_transaction(row, entries.get(name, ()), pending.get(name, ()))
        for row in heads
        for name in [row["transaction_id"]]
    ]
