"""Proves the wallets of a database by arithmetic, without the code that wrote them."""

from psycopg.rows import DictRow

from chassis.database import Database, Work

_RUNNING = """
SELECT wallet_id, wallet_sequence, pending_after, available_after, held_after,
    row_number() OVER history AS place,
    sum(pending_change) OVER history AS pending,
    sum(available_change) OVER history AS available
FROM operations WINDOW history AS (PARTITION BY wallet_id ORDER BY wallet_sequence)
"""
_CHAINS = f"""
SELECT * FROM ({_RUNNING}) AS chain
WHERE wallet_sequence <> place OR pending_after <> pending OR available_after <> available
    OR held_after <> 0
"""
_HEADS = """
SELECT w.wallet_id FROM wallets w LEFT JOIN operations o ON o.wallet_id = w.wallet_id
GROUP BY w.wallet_id
HAVING w.operation_count <> count(o.operation_id)
    OR w.pending <> coalesce(sum(o.pending_change), 0)
    OR w.available <> coalesce(sum(o.available_change), 0)
    OR w.held <> 0
"""
_FATES = """
SELECT c.operation_id FROM claims c LEFT JOIN operations o ON o.operation_id = c.operation_id
WHERE c.is_closed = (o.operation_id IS NOT NULL)
"""
_REVERSALS = """
SELECT r.operation_id FROM operations r LEFT JOIN operations c ON c.operation_id = r.reverses
WHERE r.kind = 'REVERSAL' AND (c.kind, c.amount, c.wallet_id, c.subject_id)
    IS DISTINCT FROM ('CREDIT', r.amount, r.wallet_id, r.subject_id)
"""


async def faults(database: Database) -> dict[str, int]:
    """Count what is wrong with the wallets, by kind; true wallets give an empty answer."""
    queries = {
        "operations that do not continue their wallet's history": _CHAINS,
        "wallets that are not what their operations made of them": _HEADS,
        "operation ids with half a fate": _FATES,
        "reversals of something else": _REVERSALS,
    }
    found = {}
    for name, query in queries.items():
        if rows := await database.run(_reading(query)):
            found[name] = len(rows)
    return found


def _reading(query: str) -> Work[list[DictRow]]:
    return lambda tx: tx.all(query)
