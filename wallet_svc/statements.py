"""The SQL of the store and the reader: set statements, portable to CockroachDB.

Columns come as array literals (see `arrays`), so that one statement takes a batch of any size.
"""

# What is nothing comes as NULL: a batch reads a thousand wallets, and few have limits or holds.
_WALLET = """
SELECT wallet_id, client_id, owner, currency, account_type, status,
    nullif(credit_limit, 0) AS credit_limit, nullif(pending, 0) AS pending,
    nullif(available, 0) AS available, nullif(held, 0) AS held, operation_count, version
FROM wallets
"""

WALLETS = _WALLET + "WHERE wallet_id = ANY(%s::text[]) ORDER BY wallet_id"

# One order of locking for every batch, so that two of them cannot wait for each other.
LOCK_WALLETS = WALLETS + " FOR UPDATE"

WALLETS_FROM = (
    _WALLET + "WHERE wallet_id > %s AND wallet_id >= %s AND wallet_id < %s"
    " ORDER BY wallet_id LIMIT %s"
)

# Those of many watched ones that have changed since they were last looked at.
CHANGED_WALLETS = """
SELECT w.wallet_id, client_id, owner, currency, account_type, status, credit_limit, pending,
    available, held, operation_count, w.version
FROM unnest(%s::text[], %s::bigint[]) AS seen (wallet_id, version)
    JOIN wallets w ON w.wallet_id = seen.wallet_id AND w.version > seen.version
"""

OPEN_WALLETS = """
INSERT INTO wallets
    (wallet_id, client_id, owner, currency, account_type, credit_limit, created_at,
     status, pending, available, held, operation_count, version)
SELECT asked.*, %s::timestamptz, 'OPEN', 0, 0, 0, 0, 1
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::numeric[]) AS asked
ON CONFLICT (wallet_id) DO NOTHING RETURNING wallet_id
"""

CHANGE_WALLET = """
UPDATE wallets SET status = %s, credit_limit = %s, version = %s WHERE wallet_id = %s
"""

RECORD_CHANGE = """
INSERT INTO wallet_changes (wallet_id, version, what, before, after, reason, actor, changed_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""

CHANGES = """
SELECT * FROM wallet_changes WHERE wallet_id = %s AND version < %s ORDER BY version DESC LIMIT %s
"""

# What became of operation ids: closed, or an operation. OFFSET 0 keeps the planner from joining
# whole tables: a plan made while they were small would be cached as they grow.
CLAIMED = """
SELECT c.operation_id AS claimed, c.closed_at, o.*
FROM unnest(%s::text[]) AS asked (operation_id)
    CROSS JOIN LATERAL (
        SELECT * FROM claims WHERE claims.operation_id = asked.operation_id OFFSET 0
    ) AS c
    LEFT JOIN LATERAL (
        SELECT * FROM operations WHERE operations.wallet_id = c.wallet_id
            AND operations.wallet_sequence = c.wallet_sequence OFFSET 0
    ) AS o ON true
"""

# What the operations of each wallet and subject have left in pending. Two bounds on the pair, and
# not two equations, since those would let a plan made while tables are small go through a wallet's
# whole history.
PENDING = """
SELECT pot.wallet_id, pot.subject_id, (
    SELECT coalesce(sum(o.pending_change), 0) FROM operations o
    WHERE (o.subject_id, o.wallet_id) >= (pot.subject_id, pot.wallet_id)
        AND (o.subject_id, o.wallet_id) <= (pot.subject_id, pot.wallet_id)
) AS pending
FROM unnest(%s::text[], %s::text[]) AS pot (wallet_id, subject_id)
"""

HOLDS = "SELECT * FROM holds WHERE hold_id = ANY(%s::text[])"

# A batch, whole, holds apart; or nothing of it: unless all its wallets were of the version that the
# batch has them in, it divides by zero, as nothing else in it can.
WRITE = """
WITH claimed AS (
    INSERT INTO claims (operation_id, wallet_id, wallet_sequence, closed_at)
    SELECT * FROM unnest(%(claims)s::text[], %(claim_wallets)s::text[],
        %(claim_sequences)s::bigint[], %(closed)s::timestamptz[])
), written AS (
    INSERT INTO operations
        (operation_id, wallet_id, kind, amount, currency, subject_id, refers_to, releases_rest,
         pending_change, available_change, held_change, pending_after, available_after, held_after,
         wallet_sequence, wallet_version, created_at)
    SELECT o.*, %(at)s::timestamptz
    FROM unnest(%(ids)s::text[], %(wallets)s::text[], %(kinds)s::text[], %(amounts)s::numeric[],
        %(currencies)s::text[], %(subjects)s::text[], %(references)s::text[], %(rests)s::bool[],
        %(pending_changes)s::numeric[], %(available_changes)s::numeric[],
        %(held_changes)s::numeric[], %(pendings_after)s::numeric[],
        %(availables_after)s::numeric[], %(helds_after)s::numeric[], %(sequences)s::bigint[],
        %(versions)s::bigint[]) AS o
), balanced AS (
    UPDATE wallets w
    SET pending = new.pending, available = new.available, held = new.held,
        operation_count = new.operation_count, version = new.version
    FROM unnest(%(changed)s::text[], %(pendings)s::numeric[], %(availables)s::numeric[],
        %(helds)s::numeric[], %(counts)s::bigint[], %(new_versions)s::bigint[],
        %(were_versions)s::bigint[])
        AS new (wallet_id, pending, available, held, operation_count, version, was_version)
    WHERE w.wallet_id = new.wallet_id AND w.version = new.was_version
    RETURNING 1
)
SELECT 1 / CASE WHEN (SELECT count(*) FROM balanced) = %(changed_count)s THEN 1 ELSE 0 END
"""

WRITE_HOLDS = """
INSERT INTO holds (hold_id, wallet_id, subject_id, currency, amount, open_amount, captured_amount,
    released_amount, status, expires_at, created_at)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::numeric[], %s::numeric[],
    %s::numeric[], %s::numeric[], %s::text[], %s::timestamptz[], %s::timestamptz[])
ON CONFLICT (hold_id) DO UPDATE
SET open_amount = excluded.open_amount, captured_amount = excluded.captured_amount,
    released_amount = excluded.released_amount, status = excluded.status
"""

DUE_HOLDS = """
SELECT hold_id, wallet_id, subject_id, currency, expires_at FROM holds
WHERE status = 'OPEN' AND expires_at <= %s AND (expires_at, hold_id) > (%s, %s)
ORDER BY expires_at, hold_id LIMIT %s
"""

# As in PENDING.
OF_SUBJECT_IN_WALLET = (
    "(o.subject_id, o.wallet_id) >= (%s, %s) AND (o.subject_id, o.wallet_id) <= (%s, %s)"
)

# A wallet's own, by their place in its history; filled with conditions by the reader.
OPERATIONS_OF_WALLET = """
SELECT * FROM operations o
WHERE o.wallet_id = %s AND o.wallet_sequence > %s AND o.wallet_sequence < %s{conditions}
ORDER BY o.wallet_sequence DESC LIMIT %s
"""

# Where a wallet's history comes to a time, found by halving: the last place before it and the first
# that is not, but for how far the clocks of those who write may differ.
PLACE_OF_TIME = """
WITH RECURSIVE halves AS (
    SELECT 0::bigint AS low, operation_count + 1 AS high FROM wallets WHERE wallet_id = %(wallet)s
    UNION ALL
    SELECT CASE WHEN o.created_at < %(at)s THEN h.middle ELSE h.low END,
        CASE WHEN o.created_at < %(at)s THEN h.high ELSE h.middle END
    FROM (SELECT low, high, (low + high) >> 1 AS middle FROM halves WHERE high - low > 1) AS h
        CROSS JOIN LATERAL (
            SELECT created_at FROM operations
            WHERE wallet_id = %(wallet)s AND wallet_sequence = h.middle OFFSET 0
        ) AS o
)
SELECT low, high FROM halves ORDER BY high - low LIMIT 1
"""

OPERATION_COUNT = "SELECT operation_count FROM wallets WHERE wallet_id = %s"

# Operations of all wallets; filled by the reader.
OPERATIONS = """
SELECT * FROM operations o WHERE {conditions}
ORDER BY o.created_at DESC, o.wallet_sequence DESC, o.operation_id DESC LIMIT %s
"""

# Those of one object, which has few: all of them are sorted. OFFSET 0 keeps the planner from going
# through those of all objects in their order.
OPERATIONS_OF_SUBJECT = """
SELECT * FROM (SELECT * FROM operations o WHERE {of_subject} OFFSET 0) AS o WHERE {conditions}
ORDER BY o.created_at DESC, o.wallet_sequence DESC, o.operation_id DESC LIMIT %s
"""
OF_SUBJECT = "o.subject_id = %s"

# The same of one kind, which may be rare: of as many as may be looked at, those that fit, and the
# last of all when there are so many. The limit is written into the query: a plan that does not know
# it would sort whole tables.
OPERATIONS_OF_KIND = """
WITH looked_at AS MATERIALIZED (
    SELECT * FROM operations o WHERE {conditions}
    ORDER BY o.created_at DESC, o.wallet_sequence DESC, o.operation_id DESC LIMIT {looked_at_max}
)
(SELECT l.*, false AS is_reached FROM looked_at l WHERE l.kind = %s
ORDER BY l.created_at DESC, l.wallet_sequence DESC, l.operation_id DESC LIMIT %s)
UNION ALL
(SELECT l.*, true FROM looked_at l
ORDER BY l.created_at, l.wallet_sequence, l.operation_id LIMIT CASE
    WHEN (SELECT count(*) FROM looked_at) < {looked_at_max} THEN 0 ELSE 1 END)
"""

HOLDS_OF = """
SELECT * FROM holds
WHERE wallet_id = %s {is_open} AND (created_at, hold_id) < (%s, %s)
ORDER BY created_at DESC, hold_id DESC LIMIT %s
"""
ONLY_OPEN = "AND status = 'OPEN'"

# The newest operation on a wallet before a time, and what it left. Read from the newest on back, so
# it costs what was done since.
BEFORE = """
SELECT wallet_sequence, pending_after + available_after + held_after AS total
FROM operations WHERE wallet_id = %s AND created_at < %s
ORDER BY wallet_sequence DESC LIMIT 1
"""

# What each subject's operations have changed in a wallet from past a place in its history on, and
# when the newest and the oldest was.
SUBJECT_SUMS = """
SELECT subject_id, sum(pending_change + available_change + held_change) AS total,
    max(created_at) AS newest_at, min(created_at) AS oldest_at
FROM operations WHERE wallet_id = %s AND wallet_sequence > %s GROUP BY subject_id
"""

# Wallets that are not what their own history made of them. That goes by the ids that are asked for:
# those of `wallets` sort by byte, and an index that sorts otherwise would not be used for them.
UNFOUNDED_WALLETS = """
SELECT w.wallet_id FROM unnest(%s::text[]) AS asked (wallet_id)
    JOIN wallets w ON w.wallet_id = asked.wallet_id
    LEFT JOIN LATERAL (
        SELECT * FROM operations WHERE wallet_id = asked.wallet_id
        ORDER BY wallet_sequence DESC LIMIT 1
    ) AS o ON true
WHERE (
    (w.operation_count, w.pending, w.available, w.held) <> (coalesce(o.wallet_sequence, 0),
        coalesce(o.pending_after, 0), coalesce(o.available_after, 0), coalesce(o.held_after, 0))
    OR w.held <> (
        SELECT coalesce(sum(open_amount), 0) FROM holds
        WHERE wallet_id = asked.wallet_id AND status = 'OPEN'
    )
) ORDER BY w.wallet_id
"""
