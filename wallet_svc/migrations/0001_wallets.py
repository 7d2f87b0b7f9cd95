"""Lay the wallets, claims and operations."""

from alembic import op

revision = "0001"
down_revision = None

_WALLETS = """
CREATE TABLE wallets (
    wallet_id text PRIMARY KEY,
    client_id text NOT NULL,
    owner text NOT NULL,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    status text NOT NULL CHECK (status IN ('OPEN', 'FROZEN', 'CLOSED')),
    pending numeric(19, 4) NOT NULL CHECK (pending >= 0),
    available numeric(19, 4) NOT NULL CHECK (available >= 0),
    held numeric(19, 4) NOT NULL CHECK (held >= 0),
    operation_count bigint NOT NULL CHECK (operation_count >= 0),
    created_at timestamptz NOT NULL
)
"""

# Whoever claims an operation id first decides its fate: an operation, or a closing that keeps a
# later one out. One unique key for both is what makes a do and its undo exclude each other.
_CLAIMS = """
CREATE TABLE claims (
    operation_id text PRIMARY KEY,
    -- True: reversed before it arrived. Then no operation will ever have the id.
    is_closed boolean NOT NULL,
    claimed_at timestamptz NOT NULL
)
"""

_OPERATIONS = """
CREATE TABLE operations (
    operation_id text PRIMARY KEY REFERENCES claims (operation_id),
    wallet_id text NOT NULL REFERENCES wallets (wallet_id),
    kind text NOT NULL CHECK (kind IN ('CREDIT', 'SETTLE', 'REVERSAL')),
    amount numeric(19, 4) NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    subject_id text NOT NULL,
    pending_change numeric(19, 4) NOT NULL,
    available_change numeric(19, 4) NOT NULL,
    pending_after numeric(19, 4) NOT NULL CHECK (pending_after >= 0),
    available_after numeric(19, 4) NOT NULL CHECK (available_after >= 0),
    held_after numeric(19, 4) NOT NULL CHECK (held_after >= 0),
    -- Handed out under the lock on the wallet's row: no gap, no repetition.
    wallet_sequence bigint NOT NULL CHECK (wallet_sequence > 0),
    created_at timestamptz NOT NULL,
    -- The CREDIT that a REVERSAL takes back; empty for others.
    reverses text NOT NULL,
    CONSTRAINT operations_wallet_sequence UNIQUE (wallet_id, wallet_sequence),
    CONSTRAINT operations_change CHECK (
        CASE kind
            WHEN 'CREDIT' THEN pending_change = amount AND available_change = 0
            WHEN 'SETTLE' THEN pending_change = -amount AND available_change = amount
            ELSE pending_change + available_change = -amount
                AND pending_change <= 0 AND available_change <= 0
        END
    ),
    CONSTRAINT operations_reverses CHECK ((kind = 'REVERSAL') = (reverses <> ''))
)
"""

_SUBJECTS = "CREATE INDEX operations_subject_id ON operations (subject_id, wallet_id)"
_TIMES = "CREATE INDEX operations_created_at ON operations (created_at)"


def upgrade() -> None:
    """Lay the tables, and grant the app role what it needs: nothing that changes history."""
    app_role = op.get_context().opts["app_role"]
    for statement in (_WALLETS, _CLAIMS, _OPERATIONS, _SUBJECTS, _TIMES):
        op.execute(statement)
    op.execute(f'GRANT SELECT, INSERT, UPDATE ON wallets TO "{app_role}"')
    op.execute(f'GRANT SELECT, INSERT ON claims, operations TO "{app_role}"')
