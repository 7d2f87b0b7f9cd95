"""Cases: what a person should know of, with their histories; and which outcomes are not known."""

from alembic import op

revision = "0007"
down_revision = "0006"

_STATEMENTS = (
    """
    CREATE TABLE cases (
        case_id text PRIMARY KEY,
        kind text NOT NULL,
        status text NOT NULL CHECK (status IN ('OPEN', 'CLOSED')),
        payment_id text NOT NULL REFERENCES payments,
        client_id text NOT NULL,
        subject_id text NOT NULL,
        psp text NOT NULL,
        psp_reference text NOT NULL,
        amount numeric(19, 4) NOT NULL CHECK (amount > 0),
        currency text NOT NULL,
        opened_at timestamptz NOT NULL,
        closed_at timestamptz,
        resolution text NOT NULL
    )
    """,
    "CREATE INDEX cases_by_payment ON cases (payment_id)",
    "CREATE INDEX cases_by_status ON cases (status, opened_at DESC, case_id DESC)",
    """
    CREATE TABLE case_history (
        case_id text NOT NULL,
        sequence integer NOT NULL,
        at timestamptz NOT NULL,
        kind text NOT NULL,
        detail text NOT NULL,
        PRIMARY KEY (case_id, sequence)
    )
    """,
    """
    CREATE INDEX sagas_unknown ON sagas (created_at)
        WHERE memory ? 'unknown_since' AND queue <> 'DONE'
    """,
)


def upgrade() -> None:
    """Make the tables and the index; what was written down about a case is never changed."""
    app_role = op.get_context().opts["app_role"]
    for statement in _STATEMENTS:
        op.execute(statement)
    op.execute(f'GRANT SELECT, INSERT, UPDATE ON cases TO "{app_role}"')
    op.execute(f'GRANT SELECT, INSERT ON case_history TO "{app_role}"')
