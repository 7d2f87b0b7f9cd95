"""The SQL of the reader, portable to CockroachDB: pages off an index, and reports."""

from typing import LiteralString

CHANGES = """
SELECT c.*, %(account)s::text AS account_id FROM account_changes c
WHERE c.account_key = (SELECT account_key FROM accounts WHERE account_id = %(account)s)
    AND c.number < %(before)s
ORDER BY c.number DESC LIMIT %(limit)s
"""

ACCOUNTS_FROM = """
SELECT * FROM accounts WHERE account_id > %s AND account_id >= %s AND account_id < %s
ORDER BY account_id LIMIT %s
"""

# An entry by itself, as `rows.to_listed` reads it.
LISTED: LiteralString = """
SELECT e.transaction_id, e.line, e.is_debit, e.account_sequence, e.amount, e.balance_after,
    a.account_id, a.currency, t.reference, t.kind, t.description, t.subject_id, t.effective_at,
    t.reverses_reference, t.resolves_reference, t.template"""

# OFFSET 0 keeps the planner from joining whole tables: a page would be merged with the history of
# all accounts, and a plan that was made while they were small would be kept as they grow.
OF_ACCOUNT: LiteralString = """
    CROSS JOIN LATERAL (
        SELECT account_id, currency FROM accounts WHERE account_key = e.account_key OFFSET 0
    ) AS a"""
OF_TRANSACTION: LiteralString = """
    CROSS JOIN LATERAL (
        SELECT * FROM transactions WHERE transaction_id = e.transaction_id OFFSET 0
    ) AS t"""

# A page of entries: filled with conditions and direction by `filters`.
ENTRIES = (
    LISTED
    + """
FROM (
    SELECT e.* FROM entries e WHERE {conditions}
    ORDER BY e.transaction_id {direction}, e.line {direction} LIMIT %(limit)s
) AS e"""
    + OF_ACCOUNT
    + OF_TRANSACTION
    + " ORDER BY e.transaction_id {direction}, e.line {direction}"
)

# The same for one object: its transactions are gone through, of which it has few as a rule.
ENTRIES_OF_SUBJECT = (
    LISTED
    + """
FROM (
    SELECT * FROM transactions t WHERE t.subject_id = %(subject)s AND {of_transaction}
    ORDER BY t.transaction_id {direction} OFFSET 0
) AS t CROSS JOIN LATERAL (
    SELECT * FROM entries e WHERE e.transaction_id = t.transaction_id AND {conditions}
    ORDER BY e.line {direction} OFFSET 0
) AS e"""
    + OF_ACCOUNT
    + " ORDER BY t.transaction_id {direction}, e.line {direction} LIMIT %(limit)s"
)

# What is pending still, filled by `filters`: gone through in the order in which it was written. An
# account's lines are looked for one transaction at a time: by a join the history of all that ever
# was pending might be read.
PENDINGS = (
    """
SELECT t.* FROM (
    (SELECT o.transaction_id FROM (
        SELECT * FROM open_pendings o WHERE {named} ORDER BY o.transaction_id OFFSET 0
    ) AS o
    WHERE {named_fits} ORDER BY o.transaction_id LIMIT %(limit)s)
    UNION ALL
    (SELECT c.transaction_id FROM (
        SELECT * FROM open_pendings WHERE transaction_id IS NULL OFFSET 0
    ) AS o CROSS JOIN LATERAL (
        SELECT transaction_id FROM claims WHERE reference = o.reference OFFSET 0
    ) AS c
    WHERE {unnamed} AND {unnamed_fits} ORDER BY c.transaction_id LIMIT %(limit)s)
    ORDER BY transaction_id LIMIT %(limit)s
) AS e"""
    + OF_TRANSACTION
    + " ORDER BY e.transaction_id"
)
PENDINGS_OF_SUBJECT = """
SELECT t.* FROM (
    SELECT * FROM transactions t WHERE t.subject_id = %(subject)s AND {bounds}
    ORDER BY t.transaction_id OFFSET 0
) AS t CROSS JOIN LATERAL (
    SELECT expires_at FROM open_pendings WHERE reference = t.reference OFFSET 0
) AS o
WHERE t.kind = 'PENDING' AND {fits}
ORDER BY t.transaction_id LIMIT %(limit)s
"""
IS_ON_ACCOUNT: LiteralString = (
    "(SELECT line FROM pending_lines p WHERE p.transaction_id = {id}"
    " AND p.account_key = %(account)s LIMIT 1) IS NOT NULL"
)

BALANCE_BEFORE = """
SELECT balance_after, account_sequence FROM entries
WHERE account_key = %s AND transaction_id < %s
ORDER BY transaction_id DESC, line DESC LIMIT 1
"""

# What an account had at the end of the last closed month that ended by a time.
BALANCE_AT_CHECKPOINT = """
SELECT b.balance, b.entry_count FROM checkpoint_balances b
WHERE b.account_key = %s
    AND b.number <= (SELECT number FROM checkpoints WHERE until <= %s ORDER BY until DESC LIMIT 1)
ORDER BY b.number DESC LIMIT 1
"""

# The last checkpoint before which nothing takes effect later than a time: what it covers, counts.
CHECKPOINT_IN_EFFECT = """
SELECT number, until FROM checkpoints WHERE effective_until <= %s ORDER BY until DESC LIMIT 1
"""

# What an account had before a period and at its end, by when entries count from: all until that
# checkpoint, and some of what was written since. And of the entries of the period, by how much they
# were written before that time, and behind it, at most.
EFFECTS = """
SELECT coalesce(b.balance, 0) + coalesce(e.before, 0) AS opening,
    coalesce(b.entry_count, 0) + e.count_before AS opening_count,
    coalesce(b.balance, 0) + coalesce(e.until, 0) AS closing,
    coalesce(b.entry_count, 0) + e.count_until AS closing_count, e.ahead, e.behind
FROM (
    SELECT sum(n.amount) FILTER (WHERE n.effective_at < %(start)s) AS before,
        count(*) FILTER (WHERE n.effective_at < %(start)s) AS count_before,
        sum(n.amount) FILTER (WHERE n.effective_at < %(end)s) AS until,
        count(*) FILTER (WHERE n.effective_at < %(end)s) AS count_until,
        max(n.effective_at - n.created_at) FILTER (WHERE n.is_within) AS ahead,
        max(n.created_at - n.effective_at) FILTER (WHERE n.is_within) AS behind
    FROM (
        SELECT CASE WHEN e.is_debit = %(is_debit)s THEN e.amount ELSE -e.amount END AS amount,
            t.effective_at, t.created_at,
            t.effective_at >= %(start)s AND t.effective_at < %(end)s AS is_within
        FROM entries e JOIN transactions t ON t.transaction_id = e.transaction_id
        WHERE e.account_key = %(key)s AND e.transaction_id >= %(first)s
    ) AS n
) AS e LEFT JOIN (
    SELECT balance, entry_count FROM checkpoint_balances
    WHERE account_key = %(key)s AND number <= %(checkpoint)s ORDER BY number DESC LIMIT 1
) AS b ON true
"""

# An account's entries by when they count from, of those written from one id on and before another.
_EFFECTIVE: LiteralString = (
    """
FROM (
    SELECT * FROM entries WHERE account_key = %(key)s
        AND transaction_id >= %(first)s AND transaction_id < %(last)s
    ORDER BY transaction_id, line OFFSET 0
) AS e"""
    + OF_TRANSACTION
    + OF_ACCOUNT
    + """
WHERE t.effective_at >= %(start)s AND t.effective_at < %(end)s
    AND (t.effective_at, e.transaction_id, e.line) > (%(after_at)s, %(after_id)s, %(after_line)s)
"""
)
ENTRIES_EFFECTIVE = (
    LISTED + _EFFECTIVE + "ORDER BY t.effective_at, e.transaction_id, e.line LIMIT %(limit)s"
)
# From when the last of as many as a page has counts, in the order in which they were written.
EFFECT_REACHED = (
    "SELECT max(n.effective_at) AS reached, count(*) AS found FROM (SELECT t.effective_at"
    + _EFFECTIVE
    + "ORDER BY e.transaction_id, e.line LIMIT %(limit)s) AS n"
)

TRIAL_BALANCE = """
SELECT currency, type, coalesce(sum(balance) FILTER (WHERE balance > 0), 0) AS above,
    coalesce(sum(-balance) FILTER (WHERE balance < 0), 0) AS below, count(*) AS account_count
FROM accounts GROUP BY currency, type ORDER BY currency, type
"""

# What each account had before the id `first`: its newest entry until then tells, a look into the
# index for each. Where that is archived, the last checkpoint until then tells.
HAD: LiteralString = """
    LEFT JOIN LATERAL (
        SELECT coalesce(
            (SELECT balance_after FROM entries
            WHERE entries.account_key = a.account_key AND entries.transaction_id < %(first)s
            ORDER BY transaction_id DESC, line DESC LIMIT 1),
            (SELECT b.balance FROM checkpoint_balances b
            WHERE b.account_key = a.account_key AND b.number <= (
                SELECT number FROM checkpoints WHERE until <= %(until)s
                ORDER BY until DESC LIMIT 1
            ) ORDER BY b.number DESC LIMIT 1)
        ) AS balance
    ) AS e ON true"""
TRIAL_BALANCE_BEFORE = (
    """
SELECT a.currency, a.type,
    coalesce(sum(e.balance) FILTER (WHERE e.balance > 0), 0) AS above,
    coalesce(sum(-e.balance) FILTER (WHERE e.balance < 0), 0) AS below,
    count(*) AS account_count
FROM accounts a"""
    + HAD
    + " GROUP BY a.currency, a.type ORDER BY a.currency, a.type"
)
