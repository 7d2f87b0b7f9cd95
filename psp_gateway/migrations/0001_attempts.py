"""Lay the attempts and their trail."""

from alembic import op

revision = "0001"
down_revision = None

_ATTEMPTS = """
CREATE TABLE attempts (
    attempt_id text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('CHARGE', 'REFUND')),
    payment_id text NOT NULL,
    client_id text NOT NULL,
    -- Routed once and for all, before anything is sent.
    psp text NOT NULL,
    amount numeric(19, 4) NOT NULL CHECK (amount > 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    -- Keyed hash of the payment token, which itself is never stored; empty for a refund.
    fingerprint text NOT NULL,
    -- Of a refund: the charge, and the PSP's id of it.
    charge_attempt_id text NOT NULL,
    charge_reference text NOT NULL,
    created_at timestamptz NOT NULL,
    -- The request that is next; a charge is created at the PSP before it is confirmed.
    stage text NOT NULL CHECK (stage IN ('CREATE', 'CONFIRM', 'REFUND')),
    outcome text NOT NULL CHECK (outcome IN
        ('SUCCEEDED', 'DECLINED', 'ACTION_REQUIRED', 'PENDING', 'TRANSIENT', 'UNKNOWN')),
    delivery text NOT NULL CHECK (delivery IN ('NOT_SENT', 'SENT_NO_ANSWER', 'ANSWERED')),
    -- The PSP's id of the object, committed before it is confirmed; empty until known.
    psp_reference text NOT NULL,
    reason text NOT NULL,
    psp_code text NOT NULL,
    message text NOT NULL,
    redirect_url text NOT NULL,
    request_count integer NOT NULL CHECK (request_count >= 0),
    -- Counts the writes; a writer that has not read the newest may only write success.
    version bigint NOT NULL CHECK (version > 0),
    sent_at timestamptz,
    updated_at timestamptz NOT NULL,
    CONSTRAINT attempts_refund CHECK (
        (kind = 'REFUND') = (charge_attempt_id <> '') AND (kind = 'REFUND') = (stage = 'REFUND')
    ),
    CONSTRAINT attempts_confirmable CHECK (stage <> 'CONFIRM' OR psp_reference <> ''),
    CONSTRAINT attempts_succeeded CHECK (outcome <> 'SUCCEEDED' OR psp_reference <> '')
)
"""

# Each request and the class of its answer: what was sent when. No secret, no token.
_EVENTS = """
CREATE TABLE attempt_events (
    event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    attempt_id text NOT NULL REFERENCES attempts (attempt_id),
    operation text NOT NULL,
    answer text NOT NULL,
    -- The status and the PSP's own id of the exchange.
    trace text NOT NULL,
    reason text NOT NULL,
    psp_code text NOT NULL,
    at timestamptz NOT NULL
)
"""

_PAYMENTS = "CREATE INDEX attempts_payment_id ON attempts (payment_id, created_at)"
_CHARGES = "CREATE INDEX attempts_charge_attempt_id ON attempts (charge_attempt_id)"
_TRAILS = "CREATE INDEX attempt_events_attempt_id ON attempt_events (attempt_id)"


def upgrade() -> None:
    """Lay the tables, and grant the app role what it needs: nothing that changes the trail."""
    app_role = op.get_context().opts["app_role"]
    for statement in (_ATTEMPTS, _EVENTS, _PAYMENTS, _CHARGES, _TRAILS):
        op.execute(statement)
    op.execute(f'GRANT SELECT, INSERT, UPDATE ON attempts TO "{app_role}"')
    op.execute(f'GRANT SELECT, INSERT ON attempt_events TO "{app_role}"')
