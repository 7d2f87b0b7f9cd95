"""Proves the wallets of a database by arithmetic, without the code that wrote them."""

from psycopg.rows import DictRow

from chassis.database import Database, Work

_RUNNING = """
SELECT wallet_id, wallet_sequence, wallet_version, pending_after, available_after, held_after,
    row_number() OVER history AS place,
    lag(wallet_version, 1, 1::bigint) OVER history AS version_before,
    sum(pending_change) OVER history AS pending,
    sum(available_change) OVER history AS available,
    sum(held_change) OVER history AS held
FROM operations WINDOW history AS (PARTITION BY wallet_id ORDER BY wallet_sequence)
"""
_CHAINS = f"""
SELECT * FROM ({_RUNNING}) AS chain
WHERE wallet_sequence <> place OR pending_after <> pending OR available_after <> available
    OR held_after <> held OR wallet_version <= version_before
"""
_HEADS = """
SELECT w.wallet_id FROM wallets w LEFT JOIN operations o ON o.wallet_id = w.wallet_id
GROUP BY w.wallet_id
HAVING w.operation_count <> count(o.operation_id)
    OR w.pending <> coalesce(sum(o.pending_change), 0)
    OR w.available <> coalesce(sum(o.available_change), 0)
    OR w.held <> coalesce(sum(o.held_change), 0)
    OR w.version <> 1 + count(o.operation_id)
        + (SELECT count(*) FROM wallet_changes c WHERE c.wallet_id = w.wallet_id)
"""
_FATES = """
SELECT c.operation_id FROM claims c LEFT JOIN operations o ON o.operation_id = c.operation_id
WHERE (c.wallet_id, c.wallet_sequence) IS DISTINCT FROM (o.wallet_id, o.wallet_sequence)
"""
_UNCLAIMED = """
SELECT operation_id FROM operations
WHERE operation_id NOT IN (SELECT operation_id FROM claims)
"""
_REVERSALS = """
SELECT r.operation_id FROM operations r LEFT JOIN operations c ON c.operation_id = r.refers_to
WHERE r.kind = 'REVERSAL' AND (c.kind, c.amount, c.wallet_id, c.subject_id)
    IS DISTINCT FROM ('CREDIT', r.amount, r.wallet_id, r.subject_id)
"""
_TRANSFERS = """
SELECT coalesce(o.operation_id, i.operation_id) FROM
    (SELECT * FROM operations WHERE kind = 'TRANSFER') AS o
    FULL JOIN (SELECT * FROM operations WHERE kind = 'TRANSFER_IN') AS i
        ON i.operation_id = o.operation_id || ':in'
WHERE (o.amount, o.currency, o.wallet_id, o.refers_to)
    IS DISTINCT FROM (i.amount, i.currency, i.refers_to, i.wallet_id)
"""
_HOLDS = """
SELECT h.hold_id FROM holds h LEFT JOIN operations o ON o.wallet_id = h.wallet_id
    AND CASE o.kind WHEN 'HOLD' THEN o.operation_id ELSE o.refers_to END = h.hold_id
    AND o.kind IN ('HOLD', 'CAPTURE_HOLD', 'RELEASE', 'EXPIRE')
GROUP BY h.hold_id
HAVING h.open_amount <> sum(o.held_change)
    OR h.amount <> sum(o.held_change) FILTER (WHERE o.kind = 'HOLD')
    OR h.captured_amount <> coalesce(sum(o.amount) FILTER (WHERE o.kind = 'CAPTURE_HOLD'), 0)
    OR h.released_amount <> coalesce(sum(o.available_change) FILTER (WHERE o.kind <> 'HOLD'), 0)
"""
_HELD = """
SELECT w.wallet_id FROM wallets w LEFT JOIN holds h ON h.wallet_id = w.wallet_id
GROUP BY w.wallet_id HAVING w.held <> coalesce(sum(h.open_amount), 0)
"""
_CONSERVED = """
SELECT w.currency FROM (
    SELECT currency, sum(pending + available + held) AS whole FROM wallets GROUP BY currency
) AS w LEFT JOIN (
    SELECT currency, sum(CASE
        WHEN kind = 'CREDIT' THEN amount
        WHEN kind IN ('REVERSAL', 'DEBIT', 'REFUND', 'CHARGEBACK', 'CAPTURE_HOLD') THEN -amount
        ELSE 0 END) AS whole
    FROM operations GROUP BY currency
) AS o ON o.currency = w.currency
WHERE w.whole <> coalesce(o.whole, 0)
"""


async def faults(database: Database) -> dict[str, int]:
    """Count what is wrong with the wallets, by kind; true wallets give an empty answer."""
    queries = {
        "operations that do not continue their wallet's history": _CHAINS,
        "wallets that are not what their operations made of them": _HEADS,
        "operation ids with half a fate": _FATES,
        "operations without a claim": _UNCLAIMED,
        "reversals of something else": _REVERSALS,
        "halves of transfers": _TRANSFERS,
        "holds that are not what their operations made of them": _HOLDS,
        "currencies whose money came from nowhere or is gone": _CONSERVED,
        "wallets whose held is not what their holds have open": _HELD,
    }
    found = {}
    for name, query in queries.items():
        if rows := await database.run(_reading(query)):
            found[name] = len(rows)
    return found


def _reading(query: str) -> Work[list[DictRow]]:
    return lambda tx: tx.all(query)
