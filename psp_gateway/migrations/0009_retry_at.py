"""An attempt knows when it is worth while to be taken further again; what PSPs told is found by the
payment that it is about.
"""

from alembic import op

revision = "0009"
down_revision = "0008"

_STATEMENTS = (
    "ALTER TABLE attempts ADD COLUMN retry_at timestamptz",
    "ALTER TABLE webhook_events ADD COLUMN delivery_count integer NOT NULL DEFAULT 1",
    "CREATE INDEX webhook_events_attempt ON webhook_events (attempt_id) WHERE attempt_id <> ''",
    "CREATE INDEX webhook_events_reference ON webhook_events (psp, reference)"
    " WHERE reference <> ''",
    "CREATE INDEX webhook_events_charge_reference ON webhook_events (psp, charge_reference)"
    " WHERE charge_reference <> ''",
)


def upgrade() -> None:
    """Add the columns and the indexes."""
    for statement in _STATEMENTS:
        op.execute(statement)
