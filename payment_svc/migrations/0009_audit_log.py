"""The audit log."""

from alembic import op

from audit_log import schema

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create the log; the app role may add to it and read it."""
    schema.create(op, "payment_svc")
