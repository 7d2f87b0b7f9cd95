"""The SQL of the store: set statements, portable to CockroachDB.

Columns come as array literals (see `arrays`), so that one statement takes a batch of any size.
"""

# What a batch does not need of an account is left out, and nothing is NULL: it would be read a
# thousand times. So is the time of the newest entry, the dearest of all to read, while it is past.
READ_ACCOUNTS = """
SELECT account_id, account_key, type, currency, status, floor, ceiling, balance,
    nullif(pending_in, 0) AS pending_in, nullif(pending_out, 0) AS pending_out, entry_count,
    CASE WHEN last_entry_at >= %s THEN last_entry_at END AS last_entry_at
FROM accounts WHERE account_id = ANY(%s::text[])
"""

# One order of locking for every batch, so that two of them cannot wait for each other: that of the
# keys, in which `WRITE` comes upon them by whatever plan.
LOCK_ACCOUNTS = READ_ACCOUNTS + "ORDER BY account_key FOR UPDATE"

ACCOUNTS = "SELECT * FROM accounts WHERE account_id = ANY(%s::text[]) ORDER BY account_id"

OPEN_ACCOUNTS = """
INSERT INTO accounts (account_id, type, currency, floor, ceiling, metadata, status, balance,
    pending_in, pending_out, entry_count, last_entry_at, created_at)
SELECT asked.*, 'OPEN', 0, 0, 0, 0, now.at, now.at
FROM unnest(%s::text[], %s::text[], %s::text[], %s::numeric[], %s::numeric[], %s::jsonb[]) AS asked,
    (SELECT %s::timestamptz AS at) AS now
ON CONFLICT (account_id) DO NOTHING RETURNING account_id
"""

CHANGE_STATUS = "UPDATE accounts SET status = %s WHERE account_key = %s"

RECORD_CHANGE = """
INSERT INTO account_changes
    (account_key, number, from_status, to_status, reason, actor, changed_at)
SELECT %(key)s, coalesce(max(number), 0) + 1, %(from)s, %(to)s, %(reason)s, %(actor)s, %(at)s
FROM account_changes WHERE account_key = %(key)s
"""

# What became of references.
CLAIMED = """
SELECT reference, transaction_id, closed_reason FROM claims WHERE reference = ANY(%s::text[])
"""

TRANSACTIONS = "SELECT * FROM transactions WHERE transaction_id = ANY(%s::uuid[])"

# OFFSET 0 keeps the planner from reading all accounts for the join, by whatever it knows of them.
ENTRIES_OF = """
SELECT e.*, a.account_id, a.currency FROM entries e CROSS JOIN LATERAL (
    SELECT account_id, currency FROM accounts WHERE account_key = e.account_key OFFSET 0
) AS a
WHERE e.transaction_id = ANY(%s::uuid[]) ORDER BY e.transaction_id, e.line
"""

PENDING_LINES_OF = """
SELECT p.*, a.account_id, a.currency FROM pending_lines p CROSS JOIN LATERAL (
    SELECT account_id, currency FROM accounts WHERE account_key = p.account_key OFFSET 0
) AS a
WHERE p.transaction_id = ANY(%s::uuid[]) ORDER BY p.transaction_id, p.line
"""

REVERSALS_OF = "SELECT * FROM transactions WHERE reverses_reference = ANY(%s::text[])"

# A batch, whole, or nothing of it: unless all its accounts were as the batch has them and the
# stream is still its writer's, it divides by zero, as nothing else in it can. What its last lines
# ask for is done first: accounts, then the stream, then the rest, so that no two batches wait for
# each other.
WRITE = """
WITH head AS (
    UPDATE streams SET number = %(number)s, hash = %(hash)s, written_at = %(at)s,
        leased_until = now() + interval '60 seconds'
    WHERE stream = %(stream)s AND epoch = %(epoch)s AND number = %(number_before)s
        AND written_at < %(at)s
    RETURNING stream
), claimed AS (
    INSERT INTO claims (reference, transaction_id, closed_reason)
    SELECT * FROM unnest(%(references)s::text[], %(fates)s::uuid[], %(reasons)s::text[])
), written AS (
    INSERT INTO transactions (transaction_id, kind, reference, description, subject_id,
        effective_at, expires_at, reverses_reference, resolves_reference, template, hash,
        created_at)
    SELECT t.*, %(at)s::timestamptz
    FROM unnest(%(ids)s::uuid[], %(kinds)s::text[], %(names)s::text[], %(descriptions)s::text[],
        %(subjects)s::text[], %(effective)s::timestamptz[], %(expiries)s::timestamptz[],
        %(reverses)s::text[], %(resolves)s::text[], %(templates)s::text[], %(hashes)s::bytea[]
    ) AS t
), booked AS (
    INSERT INTO entries (account_key, account_sequence, transaction_id, line, is_debit, amount,
        balance_after)
    SELECT * FROM unnest(%(entry_accounts)s::bigint[], %(sequences)s::bigint[],
        %(entry_ids)s::uuid[], %(lines)s::int[], %(debits)s::bool[], %(amounts)s::numeric[],
        %(balances_after)s::numeric[])
), balanced AS (
    UPDATE accounts a SET balance = new.balance, pending_in = coalesce(new.pending_in, 0),
        pending_out = coalesce(new.pending_out, 0), entry_count = new.entry_count,
        last_entry_at = %(at)s::timestamptz
    FROM unnest(%(changed)s::bigint[], %(balances)s::numeric[], %(pendings_in)s::numeric[],
        %(pendings_out)s::numeric[], %(counts)s::bigint[], %(were_in)s::numeric[],
        %(were_out)s::numeric[], %(were_counts)s::bigint[], %(statuses)s::text[])
        AS new (account_key, balance, pending_in, pending_out, entry_count, was_in, was_out,
            was_count, status)
    WHERE a.account_key = new.account_key AND a.entry_count = new.was_count
        AND a.pending_in = coalesce(new.was_in, 0) AND a.pending_out = coalesce(new.was_out, 0)
        AND a.status = coalesce(new.status, 'OPEN')
    RETURNING 1
)
SELECT 1 / CASE WHEN (SELECT count(*) FROM balanced) = %(changed_count)s
    AND (SELECT count(*) FROM head) = 1 THEN 1 ELSE 0 END
"""

# What is reserved, and the list of what is still to end.
WRITE_PENDINGS = """
WITH reserved AS (
    INSERT INTO pending_lines (transaction_id, line, account_key, is_debit, amount)
    SELECT * FROM unnest(%s::uuid[], %s::int[], %s::bigint[], %s::bool[], %s::numeric[])
), opened AS (
    INSERT INTO open_pendings (reference, transaction_id, expires_at)
    SELECT * FROM unnest(%s::text[], %s::uuid[], %s::timestamptz[])
)
SELECT 1
"""

CLOSE_PENDINGS = "DELETE FROM open_pendings WHERE reference = ANY(%s::text[])"

EXPIRED = """
SELECT reference, expires_at FROM open_pendings
WHERE expires_at <= %s AND (expires_at, reference) > (%s, %s)
ORDER BY expires_at, reference LIMIT %s
"""

# A stream that nobody writes to; times by the database's clock, so that clocks need not agree. What
# is written to it will be later than all that was written until now, whatever the writer's clock.
LEASE_STREAM = """
UPDATE streams SET epoch = epoch + 1, leased_until = now() + interval '60 seconds',
    written_at = (SELECT max(written_at) FROM streams)
WHERE stream = (
    SELECT stream FROM streams WHERE leased_until < now()
    ORDER BY stream LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING stream, number, hash, written_at, epoch
"""

# To be leased like any other: whoever settles the streams has then seen it, or its lease sees what
# was settled.
NEW_STREAM = """
INSERT INTO streams (stream, number, hash, written_at, epoch, leased_until)
SELECT coalesce(max(stream), 0) + 1, 0, %s, 'epoch', 0, 'epoch' FROM streams
"""

# A lease is renewed with each batch: by it one sees which streams were written to within a second.
STREAM_ENDS = """
SELECT written_at, leased_until > now() + interval '59 seconds' AS is_busy FROM streams
"""

# From now on nothing can be written that says this time, or an earlier one.
SETTLE_STREAMS = "UPDATE streams SET written_at = %(at)s WHERE written_at < %(at)s"

# The end of what is archived: of the first checkpoint that covers it all. NULL: nothing is.
ARCHIVED = """
SELECT until, effective_until FROM checkpoints
WHERE until >= (SELECT until FROM archives ORDER BY until DESC LIMIT 1) ORDER BY until LIMIT 1
"""

# What verification reads, and the seals.
HEADS = "SELECT stream, number, hash, written_at FROM streams ORDER BY stream"

ACCOUNTS_AFTER = """
SELECT account_id, type, currency, balance, nullif(pending_in, 0), nullif(pending_out, 0),
    entry_count
FROM accounts WHERE account_id > %s ORDER BY account_id LIMIT %s
"""

# What is pending since before a time.
OPEN_LINES = """
SELECT o.reference, p.*, a.account_id, a.currency
FROM open_pendings o
    JOIN claims c ON c.reference = o.reference
    JOIN pending_lines p ON p.transaction_id = c.transaction_id
    JOIN accounts a ON a.account_key = p.account_key
WHERE c.transaction_id < %s ORDER BY o.reference, p.line
"""

OPEN_REFERENCES = "SELECT reference FROM open_pendings ORDER BY reference"

# A stretch of the books, whole. What belongs to a row is looked up for it alone: however large the
# books are, nobody comes upon the thought of reading all accounts for a stretch. Where times are
# the same, as they mostly are, one is read.
TRANSACTIONS_FROM = """
SELECT t.transaction_id::text, t.created_at, nullif(t.effective_at, t.created_at), t.expires_at,
    t.kind, t.reference, t.description, t.subject_id, t.reverses_reference, t.resolves_reference,
    t.template, t.hash,
    (SELECT c.transaction_id::text FROM claims c WHERE c.reference = t.reference)
FROM transactions t WHERE t.transaction_id >= %s AND t.transaction_id < %s
ORDER BY t.transaction_id LIMIT %s
"""

ENTRIES_FROM = """
SELECT e.transaction_id::text, e.line, e.is_debit, e.amount, e.balance_after, e.account_sequence,
    a.account_id, a.currency
FROM entries e JOIN LATERAL (
    SELECT account_id, currency FROM accounts WHERE account_key = e.account_key OFFSET 0
) AS a ON true
WHERE e.transaction_id >= %s AND e.transaction_id < %s
ORDER BY e.transaction_id, e.line LIMIT %s
"""

LAST_SEAL = "SELECT * FROM seals ORDER BY number DESC LIMIT 1"

SEALS = "SELECT * FROM seals WHERE number > %s ORDER BY number LIMIT %s"

SEALS_BEFORE = "SELECT * FROM seals WHERE number < %s ORDER BY number DESC LIMIT %s"

# Whoever comes second with a number has nothing to add.
INSERT_SEAL = """
INSERT INTO seals (number, sealed_at, heads, hash) VALUES (%s, %s, %s::jsonb, %s)
ON CONFLICT (number) DO NOTHING
"""

# Whoever writes to a stream that ended before a time must look at it again: nothing that was begun
# before can end up there, and whoever leases one from now on writes later, whatever the clock says.
FENCE_STREAMS = """
UPDATE streams SET epoch = epoch + 1, leased_until = now(), written_at = %(last)s
WHERE written_at < %(last)s
"""

CHECKPOINTS = "SELECT * FROM checkpoints WHERE number > %s ORDER BY number LIMIT %s"

CHECKPOINTS_BEFORE = "SELECT * FROM checkpoints WHERE number < %s ORDER BY number DESC LIMIT %s"

CHECKPOINT_BALANCES = """
SELECT b.account_key, a.account_id, a.currency, b.balance, b.entry_count
FROM checkpoint_balances b JOIN accounts a ON a.account_key = b.account_key
WHERE b.number = %s AND b.account_key > %s ORDER BY b.account_key LIMIT %s
"""

# Whoever comes second with a number has nothing to add.
INSERT_CHECKPOINT = """
INSERT INTO checkpoints (number, until, made_at, heads, transaction_count, entry_count,
    effective_until, balances_hash, hash)
VALUES (%s, %s, %s, %s::jsonb, %s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""

INSERT_CHECKPOINT_BALANCES = """
INSERT INTO checkpoint_balances (number, account_key, balance, entry_count)
SELECT %s, a.account_key, given.balance, given.entry_count
FROM unnest(%s::text[], %s::numeric[], %s::bigint[]) AS given (account_id, balance, entry_count)
    JOIN accounts a ON a.account_id = given.account_id
"""

STRAY_BALANCES = """
(SELECT number FROM checkpoint_balances WHERE number < 1 ORDER BY number LIMIT 1)
UNION ALL
(SELECT number FROM checkpoint_balances
WHERE number > (SELECT coalesce(max(number), 0) FROM checkpoints) ORDER BY number LIMIT 1)
"""

# PostgreSQL alone: see migration 0003.
PREPARE_MONTHS = "SELECT prepare_months(%s) AS made"

# Up to the first month that one of the tables lacks.
COUNT_MONTHS_AHEAD = """
SELECT min(ahead) - 1 AS ahead FROM (
    SELECT ahead, to_char(
        date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => ahead), '_YYYY_MM'
    ) AS month FROM generate_series(1, 1200) AS ahead
) AS months, unnest(ARRAY['transactions', 'entries']) AS parent
WHERE NOT EXISTS (
    SELECT FROM pg_inherits
    WHERE inhparent = to_regclass(parent) AND inhrelid = to_regclass(parent || month)
)
"""
