"""Payouts and their trail, orders to a bank and the files that they are in."""

from alembic import op

revision = "0007"
down_revision = "0006"

_STATEMENTS = (
    """
    CREATE TABLE payouts (
        attempt_id text CONSTRAINT payouts_attempt_id PRIMARY KEY,
        payout_id text NOT NULL,
        client_id text NOT NULL,
        psp text NOT NULL,
        amount numeric(19, 4) NOT NULL CHECK (amount > 0),
        currency text NOT NULL,
        fingerprint text NOT NULL,
        state text NOT NULL CHECK (state IN
            ('PENDING', 'TRANSIENT', 'UNKNOWN', 'SUBMITTED', 'PAID', 'FAILED', 'RETURNED')),
        delivery text NOT NULL,
        psp_reference text NOT NULL,
        reason text NOT NULL,
        psp_code text NOT NULL,
        message text NOT NULL,
        request_count int NOT NULL,
        version bigint NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        key_since timestamptz NOT NULL,
        sent_at timestamptz,
        paid_at timestamptz,
        CONSTRAINT payouts_paid_at CHECK (state NOT IN ('PAID', 'RETURNED') OR paid_at IS NOT NULL)
    )
    """,
    "CREATE INDEX payouts_payout_id ON payouts (payout_id, created_at)",
    # One attempt at a time: another is begun only when those before are over.
    """
    CREATE UNIQUE INDEX payouts_live ON payouts (payout_id)
    WHERE state NOT IN ('FAILED', 'RETURNED')
    """,
    "CREATE INDEX payouts_psp_reference ON payouts (psp, psp_reference)",
    """
    CREATE TABLE payout_events (
        event_id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT payout_events_event_id PRIMARY KEY,
        attempt_id text NOT NULL
            CONSTRAINT payout_events_of REFERENCES payouts (attempt_id),
        operation text NOT NULL,
        answer text NOT NULL,
        trace text NOT NULL,
        state text NOT NULL,
        reason text NOT NULL,
        psp_code text NOT NULL,
        at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX payout_events_attempt_id ON payout_events (attempt_id)",
    """
    CREATE TABLE bank_files (
        message_id text CONSTRAINT bank_files_message_id PRIMARY KEY,
        name text NOT NULL,
        content bytea NOT NULL,
        sha256 text NOT NULL,
        created_at timestamptz NOT NULL,
        handed_over_at timestamptz,
        copy text NOT NULL DEFAULT ''
    )
    """,
    """
    CREATE INDEX bank_files_waiting ON bank_files (created_at) WHERE handed_over_at IS NULL
    """,
    """
    CREATE TABLE bank_orders (
        attempt_id text CONSTRAINT bank_orders_attempt_id PRIMARY KEY
            CONSTRAINT bank_orders_of REFERENCES payouts (attempt_id),
        end_to_end_id text NOT NULL CONSTRAINT bank_orders_end_to_end_id UNIQUE,
        amount numeric(19, 4) NOT NULL CHECK (amount > 0),
        currency text NOT NULL,
        creditor_name text NOT NULL,
        creditor_iban text NOT NULL,
        creditor_bic text NOT NULL,
        remittance text NOT NULL,
        ordered_at timestamptz NOT NULL,
        message_id text CONSTRAINT bank_orders_file REFERENCES bank_files (message_id)
    )
    """,
    "CREATE INDEX bank_orders_waiting ON bank_orders (ordered_at) WHERE message_id IS NULL",
)


def upgrade() -> None:
    """Make the tables; a trail is only ever added to."""
    app_role = op.get_context().opts["app_role"]
    for statement in _STATEMENTS:
        op.execute(statement)
    op.execute(f'GRANT SELECT, INSERT, UPDATE ON payouts, bank_orders, bank_files TO "{app_role}"')
    op.execute(f'GRANT SELECT, INSERT ON payout_events TO "{app_role}"')
