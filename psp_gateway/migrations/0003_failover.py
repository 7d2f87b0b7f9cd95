"""An attempt may go on at another PSP, and keeps the names of those that could not take it. Some
PSPs charge in one request, without an object that is made first.
"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Keep the PSPs that were tried, separated by commas, and let CONFIRM begin an attempt."""
    op.execute("ALTER TABLE attempts ADD COLUMN psps_tried text NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE attempts DROP CONSTRAINT attempts_confirmable")
