"""An attempt may go on at another PSP; it keeps the names of those that could not take it."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Keep the PSPs that were tried, separated by commas."""
    op.execute("ALTER TABLE attempts ADD COLUMN psps_tried text NOT NULL DEFAULT ''")
