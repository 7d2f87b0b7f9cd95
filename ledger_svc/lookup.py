"""What is in the books under references, read inside a transaction."""

from collections.abc import Sequence

from psycopg.rows import DictRow

from chassis.database import Transaction
from ledger_svc import rows, statements
from ledger_svc.arrays import plain, texts
from ledger_svc.domain.transaction import Kind
from ledger_svc.domain.transaction import Transaction as LedgerTransaction


async def claimed(
    tx: Transaction, references: Sequence[str]
) -> tuple[list[LedgerTransaction], list[str]]:
    """Find the transactions of references, and which of the references are closed."""
    found = await tx.all(statements.CLAIMED, [texts(sorted(set(references)))])
    if not found:
        return [], []
    closed = [row["reference"] for row in found if row["transaction_id"] is None]
    ids = [row["transaction_id"] for row in found if row["transaction_id"] is not None]
    heads = await tx.all(statements.TRANSACTIONS, [plain(ids)]) if ids else []
    return await whole(tx, heads), closed


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
    has_pending = any(row["kind"] == Kind.PENDING for row in heads)
    lines = await tx.all(statements.PENDING_LINES_OF, [ids]) if has_pending else []
    pending = rows.by_transaction(lines)
    return [
        rows.to_transaction(row, entries.get(name, ()), pending.get(name, ()))
        for row in heads
        for name in [row["transaction_id"]]
    ]
