"""The SQL of the store: set statements, portable to CockroachDB.

Arrays go in binary (`%b`): writing them as text costs five times the CPU.
"""

ACCOUNTS = "SELECT * FROM accounts WHERE account_id = ANY(%b::text[])"

# One order of locking for every batch, so that two of them cannot wait for each other.
LOCK_ACCOUNTS = ACCOUNTS + " ORDER BY account_id FOR UPDATE"

OPEN_ACCOUNTS = """
INSERT INTO accounts
    (account_id, type, currency, floor, created_at, status, balance, entry_count)
SELECT *, 'OPEN', 0, 0
FROM unnest(%b::text[], %b::text[], %b::text[], %b::numeric[], %b::timestamptz[])
ON CONFLICT (account_id) DO NOTHING
"""

# What became of references: closed, or a transaction with its entries. OFFSET 0 keeps the planner
# from joining whole tables: a plan made while they were small would be cached as they grow.
CLAIMED = """
SELECT c.is_closed, c.reference AS claimed, t.*, e.line, e.account_id, e.side, e.amount, e.currency,
    e.balance_after, e.account_sequence
FROM unnest(%b::text[]) AS asked (reference)
    CROSS JOIN LATERAL (
        SELECT * FROM claims WHERE claims.reference = asked.reference OFFSET 0
    ) AS c
    LEFT JOIN LATERAL (
        SELECT * FROM transactions WHERE transactions.reference = c.reference OFFSET 0
    ) AS t ON true
    LEFT JOIN LATERAL (
        SELECT * FROM entries WHERE entries.transaction_id = t.transaction_id OFFSET 0
    ) AS e ON true
ORDER BY c.reference, e.line
"""

CLAIM = """
INSERT INTO claims (reference, is_closed, reason, claimed_at)
SELECT * FROM unnest(%b::text[], %b::bool[], %b::text[], %b::timestamptz[])
"""

INSERT_TRANSACTIONS = """
INSERT INTO transactions
    (transaction_id, reference, description, subject_id, effective_at, created_at,
     reverses_reference)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::timestamptz[],
    %b::timestamptz[], %b::text[])
"""

INSERT_ENTRIES = """
INSERT INTO entries
    (transaction_id, line, account_id, side, amount, currency, balance_after, account_sequence,
     created_at)
SELECT * FROM unnest(%b::text[], %b::int[], %b::text[], %b::text[], %b::numeric[], %b::text[],
    %b::numeric[], %b::bigint[], %b::timestamptz[])
"""

UPDATE_ACCOUNTS = """
UPDATE accounts a SET balance = new.balance, entry_count = new.entry_count
FROM unnest(%b::text[], %b::numeric[], %b::bigint[]) AS new (account_id, balance, entry_count)
WHERE a.account_id = new.account_id
"""

# Filled with conditions, order and limit by the reader.
ENTRIES = """
SELECT e.*, t.reference FROM entries e JOIN transactions t ON t.transaction_id = e.transaction_id
"""

TRIAL_BALANCE = """
SELECT currency,
    coalesce(sum(amount) FILTER (WHERE side = 'DEBIT'), 0) AS debits,
    coalesce(sum(amount) FILTER (WHERE side = 'CREDIT'), 0) AS credits,
    count(DISTINCT transaction_id) AS transaction_count
FROM entries GROUP BY currency ORDER BY currency
"""
