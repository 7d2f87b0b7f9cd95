"""Assessments: a decision per payment, for ever."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the table; the app role may read and add, never change."""
    op.execute(
        """
        CREATE TABLE assessments (
            payment_id text PRIMARY KEY,
            client_id text NOT NULL,
            decision text NOT NULL,
            rule_hits jsonb NOT NULL,
            amount numeric(19, 4) NOT NULL,
            currency text NOT NULL,
            counts jsonb NOT NULL,
            assessed_at timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX assessments_by_client ON assessments (client_id, assessed_at)")
    app_role = op.get_context().opts["app_role"]
    op.execute(f'GRANT SELECT, INSERT ON assessments TO "{app_role}"')
