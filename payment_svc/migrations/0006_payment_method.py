"""A payment says what its buyer pays with."""

from alembic import op

revision = "0006"
down_revision = "0005"

_STATEMENTS = (
    "ALTER TABLE payments ADD COLUMN payment_method text NOT NULL DEFAULT 'CARD'",
    """
    ALTER TABLE payments ADD CONSTRAINT payments_payment_method_check
        CHECK (payment_method IN ('CARD', 'WALLET', 'BANK_DEBIT'))
    """,
)


def upgrade() -> None:
    """Keep the method; payments of before were by card."""
    for statement in _STATEMENTS:
        op.execute(statement)
