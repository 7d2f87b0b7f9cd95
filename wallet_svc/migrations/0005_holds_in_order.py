"""Keep open holds in the order in which they expire, to the last of them: looking for those that
are due goes on behind one that cannot end.
"""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the index anew, of open holds alone: the few that have not ended."""
    op.execute("DROP INDEX holds_due")
    op.execute("CREATE INDEX holds_due ON holds (expires_at, hold_id) WHERE status = 'OPEN'")
