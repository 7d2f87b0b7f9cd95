"""Proves the books of a database by arithmetic, without the code that wrote them."""

from psycopg.rows import DictRow

from chassis.database import Database, Work

_UNBALANCED = """
SELECT e.transaction_id, a.currency FROM entries e JOIN accounts a USING (account_key)
GROUP BY e.transaction_id, a.currency
HAVING sum(CASE WHEN is_debit THEN amount ELSE -amount END) <> 0
"""
_RUNNING = """
SELECT e.account_key, e.account_sequence, e.balance_after,
    row_number() OVER history AS place,
    sum(CASE WHEN e.is_debit = (a.type IN ('ASSET', 'EXPENSE'))
        THEN e.amount ELSE -e.amount END) OVER history AS running
FROM entries e JOIN accounts a USING (account_key)
WINDOW history AS (PARTITION BY e.account_key ORDER BY e.transaction_id, e.line)
"""
_CHAINS = f"""
SELECT * FROM ({_RUNNING}) AS chain WHERE balance_after <> running OR account_sequence <> place
"""
_LAST = """
SELECT a.account_id FROM accounts a
    LEFT JOIN (SELECT account_key, count(*) AS n FROM entries GROUP BY account_key) AS own
        USING (account_key)
    LEFT JOIN entries e ON e.account_key = a.account_key AND e.account_sequence = own.n
WHERE a.entry_count <> coalesce(own.n, 0) OR a.balance <> coalesce(e.balance_after, 0)
"""
_PENDING = """
SELECT a.account_id FROM accounts a LEFT JOIN (
    SELECT p.account_key, p.is_debit, sum(p.amount) AS amount
    FROM pending_lines p JOIN transactions t USING (transaction_id)
    WHERE NOT EXISTS (SELECT 1 FROM transactions r WHERE r.resolves_reference = t.reference)
    GROUP BY p.account_key, p.is_debit
) AS open USING (account_key)
GROUP BY a.account_id, a.type, a.pending_in, a.pending_out
HAVING a.pending_in <> coalesce(sum(open.amount)
        FILTER (WHERE open.is_debit = (a.type IN ('ASSET', 'EXPENSE'))), 0)
    OR a.pending_out <> coalesce(sum(open.amount)
        FILTER (WHERE open.is_debit <> (a.type IN ('ASSET', 'EXPENSE'))), 0)
"""
_HALF = """
SELECT t.reference FROM transactions t
    LEFT JOIN entries e USING (transaction_id) LEFT JOIN pending_lines p USING (transaction_id)
GROUP BY t.reference, t.kind
HAVING count(e.line) < 2 AND t.kind IN ('POSTED', 'PENDING_POSTED')
    OR count(p.line) < 2 AND t.kind = 'PENDING'
UNION ALL
SELECT coalesce(c.reference, t.reference) FROM claims c
    FULL JOIN transactions t ON t.reference = c.reference
WHERE c.transaction_id IS DISTINCT FROM t.transaction_id
"""
# The last six bytes of an id are the number, the two before them the stream.
_STREAMS = """
SELECT s.stream FROM streams s LEFT JOIN (
    SELECT ('x' || substr(id, 17, 4))::bit(16)::int & 16383 AS stream, count(*) AS n,
        max(('x' || substr(id, 21, 12))::bit(48)::bigint) AS last
    FROM (SELECT replace(transaction_id::text, '-', '') AS id FROM transactions) AS ids
    GROUP BY 1
) AS own USING (stream)
WHERE s.number <> coalesce(own.n, 0) OR s.number <> coalesce(own.last, 0)
"""


async def faults(database: Database) -> dict[str, int]:
    """Count what is wrong with the books, by kind; true books give an empty answer."""
    queries = {
        "transactions whose debits are not their credits (I1)": _UNBALANCED,
        "entries that do not continue their account's history (I2)": _CHAINS,
        "accounts that are not what their entries made of them (I2)": _LAST,
        "accounts whose pending is not what is open": _PENDING,
        "references with half a fate": _HALF,
        "streams with gaps": _STREAMS,
    }
    found = {}
    for name, query in queries.items():
        if rows := await database.run(_reading(query)):
            found[name] = len(rows)
    return found


def _reading(query: str) -> Work[list[DictRow]]:
    return lambda tx: tx.all(query)
