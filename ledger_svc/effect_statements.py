"""The SQL of reports by when entries count from, over more entries than one would sum each time.

Nearly everything counts from when it was written, so that the running balances tell what counts up
to a time, but for the few that are shifted: those that were written later and count from before
are added, those that were written before and count from later are taken away. `first` is the lowest
id of what was written after the time.

PostgreSQL takes nearly all for shifted, and would read all entries to be joined with them; what is
LATERAL, behind OFFSET 0, it looks up row by row.
"""

from ledger_svc import queries

_SHIFTED = """
SELECT transaction_id, true AS counts FROM transactions
WHERE effective_at <> created_at AND effective_at <= %(at)s AND transaction_id >= %(first)s
UNION ALL
SELECT transaction_id, false FROM transactions
WHERE effective_at <> created_at AND effective_at > %(at)s AND transaction_id < %(first)s
"""

SHIFTS_OF_ACCOUNT = f"""
SELECT coalesce(sum(CASE WHEN e.is_debit = (%(is_debit)s = s.counts) THEN e.amount
    ELSE -e.amount END), 0) AS balance,
    coalesce(sum(CASE WHEN s.counts THEN 1 ELSE -1 END), 0)::bigint AS entry_count
FROM ({_SHIFTED}) AS s CROSS JOIN LATERAL (
    SELECT is_debit, amount FROM entries
    WHERE account_key = %(key)s AND transaction_id = s.transaction_id OFFSET 0
) AS e
"""

TRIAL_BALANCE = f"""
SELECT s.currency, s.type, coalesce(sum(s.balance) FILTER (WHERE s.balance > 0), 0) AS above,
    coalesce(sum(-s.balance) FILTER (WHERE s.balance < 0), 0) AS below, count(*) AS account_count
FROM (
    SELECT a.currency, a.type, coalesce(e.balance, 0) + coalesce(
        CASE WHEN a.type = ANY(%(debit_types)s::text[]) THEN d.debits ELSE -d.debits END, 0
    ) AS balance
    FROM accounts a{queries.HAD}
        LEFT JOIN (
            SELECT e.account_key,
                sum(CASE WHEN e.is_debit = s.counts THEN e.amount ELSE -e.amount END) AS debits
            FROM ({_SHIFTED}) AS s CROSS JOIN LATERAL (
                SELECT account_key, is_debit, amount FROM entries
                WHERE transaction_id = s.transaction_id OFFSET 0
            ) AS e GROUP BY e.account_key
        ) AS d ON d.account_key = a.account_key
) AS s GROUP BY s.currency, s.type ORDER BY s.currency, s.type
"""

# A page of a hot account's entries in the order of their times of effect: of those that are not
# shifted in the order of their ids, which is the same, and of those that are.
ENTRIES = (
    queries.LISTED
    + """
FROM (
    (SELECT e.*, t.effective_at
    FROM entries e CROSS JOIN LATERAL (
        SELECT * FROM transactions WHERE transaction_id = e.transaction_id OFFSET 0
    ) AS t
    WHERE e.account_key = %(key)s AND t.effective_at = t.created_at
        AND e.transaction_id >= %(first)s AND e.transaction_id < %(last)s
        AND (t.effective_at, e.transaction_id, e.line)
            > (%(after_at)s, %(after_id)s, %(after_line)s)
    ORDER BY e.transaction_id, e.line LIMIT %(limit)s)
    UNION ALL
    (SELECT e.*, t.effective_at
    FROM transactions t CROSS JOIN LATERAL (
        SELECT * FROM entries
        WHERE account_key = %(key)s AND transaction_id = t.transaction_id OFFSET 0
    ) AS e
    WHERE t.effective_at <> t.created_at
        AND t.effective_at >= %(after_at)s AND t.effective_at < %(end)s
        AND (t.effective_at, e.transaction_id, e.line)
            > (%(after_at)s, %(after_id)s, %(after_line)s)
    ORDER BY t.effective_at, e.transaction_id, e.line LIMIT %(limit)s)
    ORDER BY effective_at, transaction_id, line LIMIT %(limit)s
) AS e"""
    + queries.OF_TRANSACTION
    + queries.OF_ACCOUNT
    + " ORDER BY e.effective_at, e.transaction_id, e.line"
)
