"""Proves the books of a database by arithmetic, without the code that wrote them."""

from psycopg.rows import DictRow

from chassis.database import Database, Work

_UNBALANCED = """
SELECT transaction_id, currency FROM entries GROUP BY transaction_id, currency
HAVING sum(CASE side WHEN 'DEBIT' THEN amount ELSE -amount END) <> 0
"""
_RUNNING = """
SELECT e.account_id, e.account_sequence, e.balance_after,
    row_number() OVER history AS place,
    sum(CASE WHEN (e.side = 'DEBIT') = (a.type IN ('ASSET', 'EXPENSE'))
        THEN e.amount ELSE -e.amount END) OVER history AS running
FROM entries e JOIN accounts a ON a.account_id = e.account_id
WINDOW history AS (PARTITION BY e.account_id ORDER BY e.account_sequence)
"""
_CHAINS = f"""
SELECT * FROM ({_RUNNING}) AS chain WHERE balance_after <> running OR account_sequence <> place
"""
_HEADS = f"""
SELECT a.account_id FROM accounts a
    LEFT JOIN (SELECT account_id, max(place) AS place FROM ({_RUNNING}) AS r GROUP BY account_id)
        AS last ON last.account_id = a.account_id
    LEFT JOIN entries e ON e.account_id = a.account_id AND e.account_sequence = last.place
WHERE a.entry_count <> coalesce(last.place, 0) OR a.balance <> coalesce(e.balance_after, 0)
"""
_HALF = """
SELECT t.reference FROM transactions t
    LEFT JOIN entries e ON e.transaction_id = t.transaction_id
GROUP BY t.reference HAVING count(e.line) < 2
UNION ALL
SELECT c.reference FROM claims c LEFT JOIN transactions t ON t.reference = c.reference
WHERE c.is_closed = (t.reference IS NOT NULL)
"""


async def faults(database: Database) -> dict[str, int]:
    """Count what is wrong with the books, by kind; true books give an empty answer."""
    queries = {
        "transactions whose debits are not their credits (I1)": _UNBALANCED,
        "entries that do not continue their account's history (I2)": _CHAINS,
        "accounts that are not what their entries made of them (I2)": _HEADS,
        "references with half a fate": _HALF,
    }
    found = {}
    for name, query in queries.items():
        if rows := await database.run(_reading(query)):
            found[name] = len(rows)
    return found


def _reading(query: str) -> Work[list[DictRow]]:
    return lambda tx: tx.all(query)
