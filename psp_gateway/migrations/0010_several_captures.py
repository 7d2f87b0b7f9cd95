"""What is held may be captured several times: a capture says whether others may follow, and how
much those before it took.
"""

from alembic import op

revision = "0010"
down_revision = "0009"

_STATEMENTS = (
    # Until now each capture let go of the rest.
    "ALTER TABLE attempts ADD COLUMN is_final boolean NOT NULL DEFAULT true",
    "ALTER TABLE attempts ADD COLUMN captured_before numeric(19, 4) NOT NULL DEFAULT 0",
    """
    ALTER TABLE attempts ADD CONSTRAINT attempts_captured CHECK (
        captured_before >= 0 AND (is_final OR kind = 'CAPTURE')
            AND (captured_before = 0 OR kind IN ('CAPTURE', 'VOID'))
    )
    """,
)


def upgrade() -> None:
    """Keep of a capture whether it is final, and of what ends a hold what was taken before."""
    for statement in _STATEMENTS:
        op.execute(statement)
