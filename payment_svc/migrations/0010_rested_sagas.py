"""Sagas that came to rest are found by when: what ends late is audited, too."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make the index; a saga is put into it once, when it is over or laid before a person."""
    op.execute(
        """
        CREATE INDEX sagas_rested ON sagas (moved_at, saga_id)
            WHERE queue IN ('DONE', 'DEAD_LETTER')
        """
    )
