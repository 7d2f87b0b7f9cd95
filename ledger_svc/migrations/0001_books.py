"""Lay the books: accounts, claims, transactions, entries."""

from alembic import op

revision = "0001"
down_revision = None

_ACCOUNTS = """
CREATE TABLE accounts (
    account_id text PRIMARY KEY,
    type text NOT NULL CHECK (type IN ('ASSET', 'LIABILITY', 'REVENUE', 'EXPENSE', 'EQUITY')),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    status text NOT NULL CHECK (status IN ('OPEN', 'FROZEN', 'CLOSED')),
    floor numeric(19, 4),
    -- In the normal direction of the type: the running sum of the account's entries.
    balance numeric(19, 4) NOT NULL,
    entry_count bigint NOT NULL CHECK (entry_count >= 0),
    created_at timestamptz NOT NULL,
    -- A floor above zero binds from the first entry on.
    CONSTRAINT accounts_floor CHECK (entry_count = 0 OR floor IS NULL OR balance >= floor)
)
"""

# Whoever claims a reference first decides its fate: a transaction, or a closing that keeps a later
# posting out. One unique key for both is what makes a do and its undo exclude each other.
_CLAIMS = """
CREATE TABLE claims (
    reference text PRIMARY KEY,
    -- True: reversed before it arrived. Then no transaction will ever have the reference.
    is_closed boolean NOT NULL,
    -- Why it was closed; empty for a transaction's claim.
    reason text NOT NULL,
    claimed_at timestamptz NOT NULL
)
"""

_TRANSACTIONS = """
CREATE TABLE transactions (
    transaction_id text PRIMARY KEY,
    reference text NOT NULL UNIQUE REFERENCES claims (reference),
    description text NOT NULL,
    subject_id text NOT NULL,
    effective_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    -- The reference of the transaction that it reverses; empty for none.
    reverses_reference text NOT NULL
)
"""

_SUBJECTS = "CREATE INDEX transactions_subject_id ON transactions (subject_id, transaction_id)"

_ENTRIES = """
CREATE TABLE entries (
    transaction_id text NOT NULL REFERENCES transactions (transaction_id),
    line smallint NOT NULL CHECK (line > 0),
    account_id text NOT NULL REFERENCES accounts (account_id),
    side text NOT NULL CHECK (side IN ('DEBIT', 'CREDIT')),
    amount numeric(19, 4) NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    -- The account's balance after this entry, in its normal direction.
    balance_after numeric(19, 4) NOT NULL,
    -- Handed out under the lock on the account's row: no gap, no repetition.
    account_sequence bigint NOT NULL CHECK (account_sequence > 0),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (transaction_id, line),
    CONSTRAINT entries_account_sequence UNIQUE (account_id, account_sequence)
)
"""


def upgrade() -> None:
    """Lay the tables, and grant the app role what it needs: nothing that changes history."""
    app_role = op.get_context().opts["app_role"]
    for statement in (_ACCOUNTS, _CLAIMS, _TRANSACTIONS, _SUBJECTS, _ENTRIES):
        op.execute(statement)
    op.execute(f'GRANT SELECT, INSERT, UPDATE ON accounts TO "{app_role}"')
    op.execute(f'GRANT SELECT, INSERT ON claims, transactions, entries TO "{app_role}"')
