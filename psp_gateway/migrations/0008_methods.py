"""What a buyer pays with is kept: a bank debit takes days, and is asked for in words of its own."""

from alembic import op

revision = "0008"
down_revision = "0007"

_STATEMENTS = (
    # Until now nothing but cards had to be told apart.
    "ALTER TABLE attempts ADD COLUMN method text NOT NULL DEFAULT 'CARD'",
    """
    ALTER TABLE attempts ADD CONSTRAINT attempts_method_check
        CHECK (method IN ('CARD', 'WALLET', 'BANK_DEBIT', 'BANK_TRANSFER'))
    """,
)


def upgrade() -> None:
    """Keep the method of an attempt."""
    for statement in _STATEMENTS:
        op.execute(statement)
