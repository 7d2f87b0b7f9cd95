"""Signing secrets rest encrypted as in the other services; data keys, wrapped, have a table.

What was sealed before stays where it is, and is read, until `edge_auth.keys rewrap` has moved it; a
later migration drops the column.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

_STATEMENTS = (
    """
    CREATE TABLE data_keys (
        number integer PRIMARY KEY,
        wrapped_by text NOT NULL,
        wrapped bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    "ALTER TABLE signing_secrets ADD COLUMN value_encrypted bytea",
    "ALTER TABLE signing_secrets ALTER COLUMN sealed DROP NOT NULL",
    """
    ALTER TABLE signing_secrets ADD CONSTRAINT signing_secrets_kept
        CHECK (value_encrypted IS NOT NULL OR sealed IS NOT NULL)
    """,
)


def upgrade() -> None:
    """Make the table and the column; data keys are made, never changed or deleted, by the app."""
    app_role = op.get_context().opts["app_role"]
    for statement in _STATEMENTS:
        op.execute(statement)
    op.execute(f'GRANT SELECT, INSERT ON data_keys TO "{app_role}"')
