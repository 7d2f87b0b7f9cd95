"""What clients may do, how much they may ask, what signs their requests, and who changed what.

Clients that are there already keep what they could do, and sign nothing.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

_STATEMENTS = (
    "ALTER TABLE clients ADD COLUMN scopes text[] NOT NULL DEFAULT '{read,pay,operate}'",
    "ALTER TABLE clients ADD COLUMN signing boolean NOT NULL DEFAULT false",
    "ALTER TABLE clients ADD COLUMN requests_per_second integer",
    "ALTER TABLE clients ADD COLUMN burst integer",
    "ALTER TABLE clients ADD COLUMN revoked_at timestamptz",
    "ALTER TABLE api_keys ADD COLUMN expires_at timestamptz",
    """
    CREATE TABLE signing_secrets (
        secret_id text PRIMARY KEY,
        client_id text NOT NULL REFERENCES clients (client_id),
        sealed bytea NOT NULL,
        created_at timestamptz NOT NULL,
        expires_at timestamptz,
        revoked_at timestamptz
    )
    """,
    "CREATE INDEX signing_secrets_by_client ON signing_secrets (client_id)",
    """
    CREATE TABLE client_changes (
        change_id uuid PRIMARY KEY,
        client_id text NOT NULL REFERENCES clients (client_id),
        at timestamptz NOT NULL,
        actor text NOT NULL,
        action text NOT NULL,
        detail text NOT NULL,
        reason text NOT NULL
    )
    """,
    "CREATE INDEX client_changes_by_client ON client_changes (client_id, at)",
)


def upgrade() -> None:
    """Change the tables and grant the app role what it needs; changes can only be added."""
    for statement in _STATEMENTS:
        op.execute(statement)
    app_role = op.get_context().opts["app_role"]
    op.execute(f'GRANT UPDATE ON clients, api_keys TO "{app_role}"')
    op.execute(f'GRANT SELECT, INSERT, UPDATE ON signing_secrets TO "{app_role}"')
    op.execute(f'GRANT SELECT, INSERT ON client_changes TO "{app_role}"')
