"""An event of a report keeps the address that the PSP told with it."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Keep where a report is to be had; empty for all else."""
    op.execute("ALTER TABLE webhook_events ADD COLUMN report_url text NOT NULL DEFAULT ''")
