"""Cases: what a person should know of, with their histories; and which outcomes are not known."""

from alembic import op

revision = "0005"
down_revision = "0004"

_STATEMENTS = (
    """
    CREATE INDEX sagas_unknown ON sagas (created_at)
        WHERE memory ? 'unknown_since' AND queue <> 'DONE'
    """,
)


def upgrade() -> None:
    """Make the index."""
    for statement in _STATEMENTS:
        op.execute(statement)
