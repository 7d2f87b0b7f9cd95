"""Add holds, the history of statuses and limits, and every kind of operation; make both leaner.

An operation is found by its wallet and its place there: its claim tells them, so that one index
less is written for each. Foreign keys go, since nothing is ever deleted and the claim is written
in the statement that writes the operation.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

_KINDS = (
    "'CREDIT', 'SETTLE', 'REVERSAL', 'DEBIT', 'REFUND', 'CHARGEBACK', 'HOLD', 'CAPTURE_HOLD',"
    " 'RELEASE', 'EXPIRE', 'TRANSFER', 'TRANSFER_IN'"
)

_DROPPED = {
    "wallets": [
        "currency_check", "status_check", "pending_check", "available_check", "held_check",
        "operation_count_check",
    ],
    "operations": [
        "operation_id_fkey", "wallet_id_fkey", "kind_check", "amount_check", "pending_after_check",
        "available_after_check", "held_after_check", "wallet_sequence_check", "wallet_sequence",
        "change", "reverses", "pkey",
    ],
    "claims": ["pkey"],
}  # fmt: skip

_WALLETS = (
    "ALTER TABLE wallets"
    " ADD COLUMN account_type text NOT NULL DEFAULT 'SELLER',"
    " ADD COLUMN credit_limit numeric(19, 4) NOT NULL DEFAULT 0,"
    " ADD COLUMN version bigint NOT NULL DEFAULT 1",
    "UPDATE wallets SET version = operation_count + 1",
    "ALTER TABLE wallets"
    " ALTER COLUMN account_type DROP DEFAULT, ALTER COLUMN credit_limit DROP DEFAULT,"
    " ALTER COLUMN version DROP DEFAULT",
    """
ALTER TABLE wallets
    ADD CONSTRAINT wallets_currency CHECK (currency ~ '^[A-Z]{3}$'),
    ADD CONSTRAINT wallets_account_type CHECK (account_type IN ('BUYER', 'SELLER', 'PLATFORM')),
    ADD CONSTRAINT wallets_status CHECK (status IN ('OPEN', 'FROZEN', 'CLOSED')),
    ADD CONSTRAINT wallets_pending CHECK (pending >= 0),
    ADD CONSTRAINT wallets_held CHECK (held >= 0),
    ADD CONSTRAINT wallets_credit_limit CHECK (credit_limit >= 0),
    ADD CONSTRAINT wallets_operation_count CHECK (operation_count >= 0),
    ADD CONSTRAINT wallets_version CHECK (version > operation_count)
""",
)

# Whoever claims an operation id first decides its fate: an operation, or a closing that keeps a
# later one out. One unique key for both is what makes a do and its undo exclude each other.
_CLAIMS = (
    "ALTER TABLE claims ADD COLUMN wallet_id text, ADD COLUMN wallet_sequence bigint",
    "ALTER TABLE claims ADD COLUMN closed_at timestamptz",
    """
UPDATE claims c SET wallet_id = o.wallet_id, wallet_sequence = o.wallet_sequence
FROM operations o WHERE o.operation_id = c.operation_id
""",
    "UPDATE claims SET closed_at = claimed_at WHERE is_closed",
    "ALTER TABLE claims DROP COLUMN is_closed, DROP COLUMN claimed_at",
    """
ALTER TABLE claims
    ADD CONSTRAINT claims_operation_id PRIMARY KEY (operation_id),
    ADD CONSTRAINT claims_place CHECK ((wallet_id IS NULL) = (wallet_sequence IS NULL)),
    ADD CONSTRAINT claims_fate CHECK ((wallet_id IS NULL) = (closed_at IS NOT NULL))
""",
)

_OPERATIONS = (
    "ALTER TABLE operations RENAME COLUMN reverses TO refers_to",
    "ALTER TABLE operations"
    " ADD COLUMN held_change numeric(19, 4) NOT NULL DEFAULT 0,"
    " ADD COLUMN releases_rest boolean NOT NULL DEFAULT false,"
    " ADD COLUMN wallet_version bigint NOT NULL DEFAULT 0",
    "UPDATE operations SET wallet_version = wallet_sequence + 1",
    "ALTER TABLE operations"
    " ALTER COLUMN held_change DROP DEFAULT, ALTER COLUMN releases_rest DROP DEFAULT,"
    " ALTER COLUMN wallet_version DROP DEFAULT",
    f"""
ALTER TABLE operations
    ADD CONSTRAINT operations_wallet_sequence PRIMARY KEY (wallet_id, wallet_sequence),
    ADD CONSTRAINT operations_kind CHECK (kind IN ({_KINDS})),
    ADD CONSTRAINT operations_amount CHECK (amount > 0),
    ADD CONSTRAINT operations_pending_after CHECK (pending_after >= 0),
    ADD CONSTRAINT operations_held_after CHECK (held_after >= 0),
    ADD CONSTRAINT operations_sequence CHECK (wallet_sequence > 0),
    ADD CONSTRAINT operations_version CHECK (wallet_version > wallet_sequence),
    ADD CONSTRAINT operations_refers_to CHECK (
        (refers_to <> '') = (kind IN
            ('REVERSAL', 'CAPTURE_HOLD', 'RELEASE', 'EXPIRE', 'TRANSFER', 'TRANSFER_IN'))
    ),
    ADD CONSTRAINT operations_releases_rest CHECK (NOT releases_rest OR kind = 'CAPTURE_HOLD'),
    ADD CONSTRAINT operations_change CHECK (
        CASE kind
            WHEN 'CREDIT' THEN pending_change = amount AND available_change = 0
                AND held_change = 0
            WHEN 'SETTLE' THEN pending_change = -amount AND available_change = amount
                AND held_change = 0
            WHEN 'DEBIT' THEN pending_change = 0 AND available_change = -amount AND held_change = 0
            WHEN 'TRANSFER' THEN pending_change = 0 AND available_change = -amount
                AND held_change = 0
            WHEN 'TRANSFER_IN' THEN pending_change = 0 AND available_change = amount
                AND held_change = 0
            WHEN 'HOLD' THEN pending_change = 0 AND available_change = -amount
                AND held_change = amount
            WHEN 'RELEASE' THEN pending_change = 0 AND available_change = amount
                AND held_change = -amount
            WHEN 'EXPIRE' THEN pending_change = 0 AND available_change = amount
                AND held_change = -amount
            WHEN 'CAPTURE_HOLD' THEN pending_change = 0
                AND available_change = -held_change - amount AND available_change >= 0
                AND (releases_rest OR available_change = 0)
            ELSE pending_change + available_change = -amount
                AND pending_change <= 0 AND available_change <= 0 AND held_change = 0
        END
    )
""",
)

_HOLDS = """
CREATE TABLE holds (
    hold_id text CONSTRAINT holds_hold_id PRIMARY KEY,
    wallet_id text NOT NULL,
    subject_id text NOT NULL,
    currency text NOT NULL,
    amount numeric(19, 4) NOT NULL CONSTRAINT holds_amount CHECK (amount > 0),
    open_amount numeric(19, 4) NOT NULL CONSTRAINT holds_open_amount CHECK (open_amount >= 0),
    captured_amount numeric(19, 4) NOT NULL
        CONSTRAINT holds_captured_amount CHECK (captured_amount >= 0),
    released_amount numeric(19, 4) NOT NULL
        CONSTRAINT holds_released_amount CHECK (released_amount >= 0),
    status text NOT NULL CONSTRAINT holds_status
        CHECK (status IN ('OPEN', 'CAPTURED', 'RELEASED', 'EXPIRED')),
    expires_at timestamptz,
    created_at timestamptz NOT NULL,
    CONSTRAINT holds_whole CHECK (amount = open_amount + captured_amount + released_amount),
    CONSTRAINT holds_is_open CHECK ((status = 'OPEN') = (open_amount > 0)),
    CONSTRAINT holds_end CHECK (
        CASE status
            WHEN 'OPEN' THEN released_amount = 0
            WHEN 'CAPTURED' THEN captured_amount > 0
            WHEN 'RELEASED' THEN released_amount > 0
            ELSE released_amount > 0 AND expires_at IS NOT NULL
        END
    )
)
"""

_WALLET_CHANGES = """
CREATE TABLE wallet_changes (
    wallet_id text NOT NULL,
    version bigint NOT NULL CONSTRAINT wallet_changes_version CHECK (version > 1),
    what text NOT NULL CONSTRAINT wallet_changes_what CHECK (what IN ('STATUS', 'CREDIT_LIMIT')),
    before text NOT NULL,
    after text NOT NULL CONSTRAINT wallet_changes_after CHECK (after <> before),
    reason text NOT NULL CONSTRAINT wallet_changes_reason CHECK (reason <> ''),
    actor text NOT NULL CONSTRAINT wallet_changes_actor CHECK (actor <> ''),
    changed_at timestamptz NOT NULL,
    CONSTRAINT wallet_changes_key PRIMARY KEY (wallet_id, version)
)
"""

_INDEXES = (
    "CREATE INDEX holds_wallet_id ON holds (wallet_id, created_at, hold_id)",
    "CREATE INDEX holds_open ON holds (wallet_id, created_at, hold_id) WHERE status = 'OPEN'",
    "CREATE INDEX holds_due ON holds (expires_at) WHERE status = 'OPEN'",
)


def upgrade() -> None:
    """Change the tables, lay the new ones, and grant the app role nothing that changes history.

    CockroachDB knows no fill factor; PostgreSQL updates a balance in place where there is room.
    """
    app_role = op.get_context().opts["app_role"]
    # The oldest first: a claim is referred to by its operation.
    for table in ("operations", "claims", "wallets"):
        for name in _DROPPED[table]:
            op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_{name}")
    for statement in (*_WALLETS, *_CLAIMS, *_OPERATIONS, _HOLDS, _WALLET_CHANGES, *_INDEXES):
        op.execute(statement)
    version = op.get_bind().exec_driver_sql("SELECT version()").scalar_one()
    if "CockroachDB" not in version:
        for table in ("wallets", "holds"):
            op.execute(f"ALTER TABLE {table} SET (fillfactor = 50)")
    op.execute(f'GRANT SELECT, INSERT, UPDATE ON holds TO "{app_role}"')
    op.execute(f'GRANT SELECT, INSERT ON wallet_changes TO "{app_role}"')
