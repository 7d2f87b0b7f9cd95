"""The SQL of the store: set statements, portable to CockroachDB.

Arrays go in binary (`%b`): writing them as text costs five times the CPU.
"""

WALLETS = "SELECT * FROM wallets WHERE wallet_id = ANY(%b::text[])"

# One order of locking for every batch, so that two of them cannot wait for each other.
LOCK_WALLETS = WALLETS + " ORDER BY wallet_id FOR UPDATE"

OPEN_WALLETS = """
INSERT INTO wallets
    (wallet_id, client_id, owner, currency, created_at,
     status, pending, available, held, operation_count)
SELECT *, 'OPEN', 0, 0, 0, 0
FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::timestamptz[])
ON CONFLICT (wallet_id) DO NOTHING
"""

# What became of operation ids: closed, or an operation. OFFSET 0 keeps the planner from joining
# whole tables: a plan made while they were small would be cached as they grow.
CLAIMED = """
SELECT c.is_closed, c.operation_id AS claimed, o.*
FROM unnest(%b::text[]) AS asked (operation_id)
    CROSS JOIN LATERAL (
        SELECT * FROM claims WHERE claims.operation_id = asked.operation_id OFFSET 0
    ) AS c
    LEFT JOIN LATERAL (
        SELECT * FROM operations WHERE operations.operation_id = c.operation_id OFFSET 0
    ) AS o ON true
"""

# What the operations of each wallet and subject have left in pending.
PENDING = """
SELECT pot.wallet_id, pot.subject_id, (
    SELECT sum(o.pending_change) FROM operations o
    WHERE o.subject_id = pot.subject_id AND o.wallet_id = pot.wallet_id
) AS pending
FROM unnest(%b::text[], %b::text[]) AS pot (wallet_id, subject_id)
"""

CLAIM = """
INSERT INTO claims (operation_id, is_closed, claimed_at)
SELECT * FROM unnest(%b::text[], %b::bool[], %b::timestamptz[])
"""

INSERT_OPERATIONS = """
INSERT INTO operations
    (operation_id, wallet_id, kind, amount, currency, subject_id, pending_change, available_change,
     pending_after, available_after, held_after, wallet_sequence, created_at, reverses)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::numeric[], %b::text[], %b::text[],
    %b::numeric[], %b::numeric[], %b::numeric[], %b::numeric[], %b::numeric[], %b::bigint[],
    %b::timestamptz[], %b::text[])
"""

UPDATE_WALLETS = """
UPDATE wallets w
SET pending = new.pending, available = new.available, operation_count = new.operation_count
FROM unnest(%b::text[], %b::numeric[], %b::numeric[], %b::bigint[])
    AS new (wallet_id, pending, available, operation_count)
WHERE w.wallet_id = new.wallet_id
"""

# Filled with conditions, order and limit by the reader.
OPERATIONS = "SELECT * FROM operations o"
