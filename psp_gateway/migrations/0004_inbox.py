"""The inbox of webhooks: raw as they came, and the events in them."""

from alembic import op

revision = "0004"
down_revision = "0003"

_STATEMENTS = (
    """
    CREATE TABLE webhooks (
        webhook_id text CONSTRAINT webhooks_webhook_id PRIMARY KEY,
        psp text NOT NULL,
        headers jsonb NOT NULL,
        body bytea NOT NULL,
        received_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE webhook_events (
        number bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT webhook_events_number PRIMARY KEY,
        webhook_id text NOT NULL,
        psp text NOT NULL,
        event_id text NOT NULL,
        event_type text NOT NULL,
        subject text NOT NULL,
        reference text NOT NULL,
        charge_reference text NOT NULL,
        attempt_id text NOT NULL,
        outcome text,
        reason text,
        psp_code text NOT NULL,
        amount_minor bigint,
        currency text NOT NULL,
        occurred_at timestamptz,
        received_at timestamptz NOT NULL,
        state text NOT NULL CHECK (state IN ('NEW', 'APPLIED', 'KEPT', 'PARKED', 'CONTRADICTS')),
        note text NOT NULL,
        tries int NOT NULL,
        due_at timestamptz,
        CONSTRAINT webhook_events_event UNIQUE (psp, event_id)
    )
    """,
    "CREATE INDEX webhook_events_due ON webhook_events (due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX webhook_events_state ON webhook_events (state, number)",
    "CREATE INDEX attempts_psp_reference ON attempts (psp, psp_reference)",
)


def upgrade() -> None:
    """Make the tables; the raw ones are never changed by the service."""
    app_role = op.get_context().opts["app_role"]
    for statement in _STATEMENTS:
        op.execute(statement)
    op.execute(f'GRANT SELECT, INSERT ON webhooks TO "{app_role}"')
    op.execute(f'GRANT SELECT, INSERT, UPDATE ON webhook_events TO "{app_role}"')
