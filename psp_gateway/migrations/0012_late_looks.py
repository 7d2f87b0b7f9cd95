"""Attempts that were given up are looked at again, by a schedule."""

from alembic import op

revision = "0012"
down_revision = "0011"

_STATEMENTS = (
    """
    CREATE TABLE late_looks (
        attempt_id text CONSTRAINT late_looks_attempt_id PRIMARY KEY,
        given_up_at timestamptz NOT NULL,
        made int NOT NULL,
        due_at timestamptz
    )
    """,
    "CREATE INDEX late_looks_due ON late_looks (due_at) WHERE due_at IS NOT NULL",
    """
    CREATE INDEX attempts_given_up ON attempts (updated_at)
    WHERE (kind IN ('CHARGE', 'AUTHORIZATION', 'CAPTURE') AND outcome <> 'SUCCEEDED')
        OR (kind = 'VOID' AND outcome = 'SUCCEEDED')
    """,
)


def upgrade() -> None:
    """Make the table, and the index that finds what is to be planned."""
    app_role = op.get_context().opts["app_role"]
    for statement in _STATEMENTS:
        op.execute(statement)
    op.execute(f'GRANT SELECT, INSERT, UPDATE ON late_looks TO "{app_role}"')
