"""Payments, orders, idempotency records, sagas with their journal, status history, outbox."""

from alembic import op

revision = "0001"
down_revision = None

_STATEMENTS = (
    """
    CREATE TABLE payments (
        payment_id text PRIMARY KEY,
        client_id text NOT NULL,
        checkout_id text NOT NULL,
        status text NOT NULL,
        version integer NOT NULL,
        buyer_id text NOT NULL,
        buyer_email text,
        buyer_ip text,
        buyer_country text,
        payment_token text,
        failure_reason text,
        failure_message text,
        failure_psp_code text,
        redirect_url text,
        created_at timestamptz NOT NULL,
        executed_at timestamptz
    )
    """,
    """
    CREATE TABLE orders (
        order_id text PRIMARY KEY,
        payment_id text NOT NULL REFERENCES payments (payment_id),
        position integer NOT NULL,
        client_id text NOT NULL,
        payment_order_id text NOT NULL,
        seller_account text NOT NULL,
        amount numeric(19, 4) NOT NULL CONSTRAINT orders_amount_above_zero CHECK (amount > 0),
        currency text NOT NULL,
        status text NOT NULL,
        CONSTRAINT orders_position UNIQUE (payment_id, position)
    )
    """,
    """
    CREATE UNIQUE INDEX orders_payment_order_id_in_use ON orders (client_id, payment_order_id)
        WHERE status NOT IN ('FAILED', 'CANCELLED')
    """,
    """
    CREATE TABLE idempotency_records (
        client_id text NOT NULL,
        method text NOT NULL,
        idempotency_key text NOT NULL,
        fingerprint jsonb NOT NULL,
        payment_id text NOT NULL,
        answer bytea NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (client_id, method, idempotency_key)
    )
    """,
    # Rewritten at every step: room on the page keeps the rewriting cheap.
    """
    CREATE TABLE sagas (
        saga_id text PRIMARY KEY,
        kind text NOT NULL,
        definition_version integer NOT NULL,
        payment_id text NOT NULL,
        queue text NOT NULL,
        step text NOT NULL,
        turned_round boolean NOT NULL,
        tries integer NOT NULL,
        reason text NOT NULL,
        memory jsonb NOT NULL,
        journal_length integer NOT NULL,
        epoch bigint NOT NULL,
        lease_owner text,
        due_at timestamptz,
        step_since timestamptz NOT NULL,
        created_at timestamptz NOT NULL
    )
    """,
    """
    CREATE INDEX sagas_due ON sagas (due_at, saga_id)
        WHERE queue IN ('PAYMENT', 'RETRY', 'WAITING')
    """,
    "CREATE INDEX sagas_by_payment ON sagas (payment_id)",
    "CREATE INDEX sagas_dead ON sagas (created_at) WHERE queue = 'DEAD_LETTER'",
    """
    CREATE TABLE saga_steps (
        saga_id text NOT NULL,
        sequence integer NOT NULL,
        step text NOT NULL,
        action text NOT NULL,
        outcome text NOT NULL,
        detail text NOT NULL,
        definition_version integer NOT NULL,
        started_at timestamptz NOT NULL,
        finished_at timestamptz NOT NULL,
        PRIMARY KEY (saga_id, sequence)
    )
    """,
    """
    CREATE TABLE status_history (
        change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        payment_id text NOT NULL,
        subject_id text NOT NULL,
        from_status text NOT NULL,
        to_status text NOT NULL,
        reason text NOT NULL,
        changed_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX status_history_by_payment ON status_history (payment_id, change_id)",
    """
    CREATE TABLE outbox (
        event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        object_id text NOT NULL,
        sequence integer NOT NULL,
        type text NOT NULL,
        payload jsonb NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        published_at timestamptz,
        UNIQUE (object_id, sequence)
    )
    """,
    "CREATE INDEX outbox_unpublished ON outbox (event_id) WHERE published_at IS NULL",
)

# Journal, history and idempotency records are never changed: the app role cannot.
_GRANTS = {
    "payments": "SELECT, INSERT, UPDATE",
    "orders": "SELECT, INSERT, UPDATE",
    "sagas": "SELECT, INSERT, UPDATE",
    "outbox": "SELECT, INSERT, UPDATE",
    "idempotency_records": "SELECT, INSERT",
    "saga_steps": "SELECT, INSERT",
    "status_history": "SELECT, INSERT",
}


def upgrade() -> None:
    """Create the tables and grant the app role what it needs, no more."""
    for statement in _STATEMENTS:
        op.execute(statement)
    app_role = op.get_context().opts["app_role"]
    for table, privileges in _GRANTS.items():
        op.execute(f'GRANT {privileges} ON {table} TO "{app_role}"')
