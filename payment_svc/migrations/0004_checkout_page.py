"""A payment whose buyer pays on a page of the PSP's."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Keep how the page is to be; null for a payment with a token."""
    op.execute("ALTER TABLE payments ADD COLUMN page jsonb")
