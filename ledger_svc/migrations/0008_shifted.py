"""Index the few transactions that count from another time than they were written at.

Reports by when entries count from go by the running balances then, as those by when they were
written do, and add and take away these few; before, they summed all. What counts from when it was
written, which is nearly everything, costs this index nothing.

While it is made nothing is written to the books: PostgreSQL reads them through. Where that takes
too long, make the same index of each partition before, CONCURRENTLY; it is then taken as it is.
"""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the index; of months to come as well."""
    op.execute(
        "CREATE INDEX transactions_shifted ON transactions (effective_at, transaction_id)"
        " WHERE effective_at <> created_at"
    )
