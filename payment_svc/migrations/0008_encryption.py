"""Personal and secret columns rest encrypted; data keys, wrapped, have a table.

The columns in the plain stay until nothing is in them: `payment_svc.keys rewrap` moves their
values, and a later migration drops them.
"""

from alembic import op

revision = "0008"
down_revision = "0007"

_STATEMENTS = (
    """
    CREATE TABLE data_keys (
        number integer PRIMARY KEY,
        wrapped_by text NOT NULL,
        wrapped bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    "ALTER TABLE payments ADD COLUMN buyer_email_encrypted bytea",
    "ALTER TABLE payments ADD COLUMN buyer_ip_encrypted bytea",
    "ALTER TABLE payments ADD COLUMN payment_token_encrypted bytea",
    "ALTER TABLE payments ADD COLUMN page_encrypted bytea",
    "ALTER TABLE orders ADD COLUMN redirect_url_encrypted bytea",
)


def upgrade() -> None:
    """Make the table and the columns; data keys are made, never changed or deleted, by the app."""
    app_role = op.get_context().opts["app_role"]
    for statement in _STATEMENTS:
        op.execute(statement)
    op.execute(f'GRANT SELECT, INSERT ON data_keys TO "{app_role}"')
