"""Webhook endpoints with their secrets' names, deliveries with their attempts, events by client."""

from alembic import op

revision = "0002"
down_revision = "0001"

_STATEMENTS = (
    # Whose an event is, for lists: the payload has always said it.
    """
    ALTER TABLE outbox
        ADD COLUMN client_id text GENERATED ALWAYS AS (payload ->> 'client_id') STORED
    """,
    "CREATE INDEX outbox_by_client ON outbox (client_id, created_at, event_id)",
    # A slot per endpoint holds the limit of 16 a client without counting under a lock.
    """
    CREATE TABLE webhook_endpoints (
        endpoint_id text PRIMARY KEY,
        client_id text NOT NULL,
        slot integer NOT NULL CONSTRAINT webhook_endpoints_slot CHECK (slot BETWEEN 1 AND 16),
        url text NOT NULL,
        event_types text[] NOT NULL,
        description text NOT NULL,
        status text NOT NULL,
        created_at timestamptz NOT NULL
    )
    """,
    """
    CREATE UNIQUE INDEX webhook_endpoints_in_use ON webhook_endpoints (client_id, slot)
        WHERE status <> 'DELETED'
    """,
    # Which secrets an endpoint has, not what they are: they are derived.
    """
    CREATE TABLE webhook_secrets (
        endpoint_id text NOT NULL,
        generation integer NOT NULL,
        key_id text NOT NULL,
        created_at timestamptz NOT NULL,
        expires_at timestamptz,
        PRIMARY KEY (endpoint_id, generation)
    )
    """,
    """
    CREATE TABLE webhook_deliveries (
        delivery_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        endpoint_id text NOT NULL,
        object_id text NOT NULL,
        sequence integer NOT NULL,
        type text NOT NULL,
        status text NOT NULL DEFAULT 'PENDING',
        attempts integer NOT NULL DEFAULT 0,
        tries integer NOT NULL DEFAULT 0,
        epoch bigint NOT NULL DEFAULT 0,
        lease_owner text,
        due_at timestamptz DEFAULT now(),
        since timestamptz NOT NULL DEFAULT now(),
        created_at timestamptz NOT NULL DEFAULT now(),
        delivered_at timestamptz,
        UNIQUE (endpoint_id, object_id, sequence)
    )
    """,
    "CREATE INDEX webhook_deliveries_by_endpoint ON webhook_deliveries (endpoint_id, delivery_id)",
    """
    CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, due_at, delivery_id)
        WHERE status = 'PENDING'
    """,
    """
    CREATE INDEX webhook_deliveries_held ON webhook_deliveries (endpoint_id, due_at)
        WHERE lease_owner IS NOT NULL
    """,
    """
    CREATE TABLE webhook_attempts (
        delivery_id bigint NOT NULL,
        attempt integer NOT NULL,
        started_at timestamptz NOT NULL,
        duration_ms integer NOT NULL,
        http_status integer,
        failure text,
        PRIMARY KEY (delivery_id, attempt)
    )
    """,
)

# What was tried is never changed, and nothing is taken away: the app role cannot.
_GRANTS = {
    "webhook_endpoints": "SELECT, INSERT, UPDATE",
    "webhook_secrets": "SELECT, INSERT, UPDATE",  # pragma: allowlist secret
    "webhook_deliveries": "SELECT, INSERT, UPDATE",
    "webhook_attempts": "SELECT, INSERT",
}


def upgrade() -> None:
    """Create the tables and grant the app role what it needs, no more."""
    for statement in _STATEMENTS:
        op.execute(statement)
    app_role = op.get_context().opts["app_role"]
    for table, privileges in _GRANTS.items():
        op.execute(f'GRANT {privileges} ON {table} TO "{app_role}"')
