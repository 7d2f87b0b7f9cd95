"""The audit log."""

from alembic import op

from audit_log import schema

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the log; the app role may add to it and read it."""
    schema.create(op, "edge_auth")
