"""Disputes, their histories, our answers to them, and what an event says of one."""

from alembic import op

revision = "0006"
down_revision = "0005"

_STATEMENTS = (
    """
    CREATE TABLE disputes (
        dispute_id text CONSTRAINT disputes_dispute_id PRIMARY KEY,
        psp text NOT NULL,
        psp_reference text NOT NULL,
        attempt_id text NOT NULL
            CONSTRAINT disputes_attempt_id REFERENCES attempts (attempt_id),
        payment_id text NOT NULL,
        amount numeric(19, 4) NOT NULL CHECK (amount > 0),
        currency text NOT NULL,
        reason text NOT NULL,
        psp_code text NOT NULL,
        stage text NOT NULL CHECK (stage IN ('INQUIRY', 'CHARGEBACK', 'PRE_ARBITRATION')),
        status text NOT NULL CHECK (status IN
            ('NEEDS_RESPONSE', 'UNDER_REVIEW', 'WON', 'LOST', 'ACCEPTED', 'CLOSED')),
        evidence_due_at timestamptz,
        is_money_withdrawn boolean NOT NULL,
        opened_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        version bigint NOT NULL,
        CONSTRAINT disputes_reference UNIQUE (psp, psp_reference)
    )
    """,
    # Ids sort by time, so each of these is a list that can be paged, the newest first.
    "CREATE INDEX disputes_status ON disputes (status, dispute_id)",
    "CREATE INDEX disputes_payment_id ON disputes (payment_id, dispute_id)",
    """
    CREATE TABLE dispute_facts (
        number bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT dispute_facts_number PRIMARY KEY,
        dispute_id text NOT NULL
            CONSTRAINT dispute_facts_dispute_id REFERENCES disputes (dispute_id),
        at timestamptz NOT NULL,
        source text NOT NULL CHECK (source IN ('TOLD', 'READ', 'ASKED')),
        code text NOT NULL,
        stage text NOT NULL,
        status text NOT NULL,
        is_money_withdrawn boolean NOT NULL,
        amount numeric(19, 4) NOT NULL,
        currency text NOT NULL,
        psp_code text NOT NULL,
        due_at timestamptz
    )
    """,
    "CREATE INDEX dispute_facts_of ON dispute_facts (dispute_id, number)",
    """
    CREATE TABLE dispute_requests (
        request_id text CONSTRAINT dispute_requests_request_id PRIMARY KEY,
        dispute_id text NOT NULL
            CONSTRAINT dispute_requests_dispute_id REFERENCES disputes (dispute_id),
        kind text NOT NULL CHECK (kind IN ('SUBMIT', 'ACCEPT')),
        fingerprint text NOT NULL,
        submissions_before int,
        round int NOT NULL,
        outcome text NOT NULL CHECK (outcome IN
            ('SUCCEEDED', 'DECLINED', 'PENDING', 'TRANSIENT', 'UNKNOWN')),
        reason text NOT NULL,
        psp_code text NOT NULL,
        message text NOT NULL,
        trace text NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX dispute_requests_of ON dispute_requests (dispute_id, created_at)",
    "ALTER TABLE webhook_events ADD COLUMN told_code text NOT NULL DEFAULT ''",
    "ALTER TABLE webhook_events ADD COLUMN told_due_at timestamptz",
)


def upgrade() -> None:
    """Make the tables; a history is only ever added to."""
    app_role = op.get_context().opts["app_role"]
    for statement in _STATEMENTS:
        op.execute(statement)
    op.execute(f'GRANT SELECT, INSERT, UPDATE ON disputes, dispute_requests TO "{app_role}"')
    op.execute(f'GRANT SELECT, INSERT ON dispute_facts TO "{app_role}"')
