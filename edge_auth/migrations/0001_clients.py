"""API clients and their keys."""

from alembic import op

revision = "0001"
down_revision = None

_STATEMENTS = (
    """
    CREATE TABLE clients (
        client_id text PRIMARY KEY,
        display_name text NOT NULL,
        created_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE api_keys (
        key_id text PRIMARY KEY,
        client_id text NOT NULL REFERENCES clients (client_id),
        secret_hash bytea NOT NULL,
        created_at timestamptz NOT NULL,
        revoked_at timestamptz
    )
    """,
    "CREATE INDEX api_keys_by_client ON api_keys (client_id)",
)


def upgrade() -> None:
    """Create the tables and grant the app role what it needs."""
    for statement in _STATEMENTS:
        op.execute(statement)
    app_role = op.get_context().opts["app_role"]
    op.execute(f'GRANT SELECT, INSERT ON clients TO "{app_role}"')
    op.execute(f'GRANT SELECT, INSERT ON api_keys TO "{app_role}"')
