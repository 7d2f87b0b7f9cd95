"""Manual capture, a charge per order, and lists of payments that need no sorting."""

from alembic import op

revision = "0003"
down_revision = "0002"

_STATEMENTS = (
    # `revision` counts the writes; amount and currency are here for lists.
    """
    ALTER TABLE payments
        ADD COLUMN revision integer NOT NULL DEFAULT 1,
        ADD COLUMN capture_method text NOT NULL DEFAULT 'AUTOMATIC',
        ADD COLUMN partial_failure_policy text NOT NULL DEFAULT 'ALL_OR_NOTHING',
        ADD COLUMN capture_before timestamptz,
        ADD COLUMN amount numeric(19, 4),
        ADD COLUMN currency text
    """,
    # The order keeps where its buyer has to go, and why it failed.
    """
    ALTER TABLE orders
        ADD COLUMN captured numeric(19, 4),
        ADD COLUMN failure_reason text,
        ADD COLUMN failure_message text,
        ADD COLUMN failure_psp_code text,
        ADD COLUMN redirect_url text,
        ADD COLUMN created_at timestamptz
    """,
    # A saga may move one order of its payment.
    "ALTER TABLE sagas ADD COLUMN order_id text",
    """
    UPDATE payments AS p SET amount = o.amount, currency = o.currency
    FROM (SELECT payment_id, sum(amount) AS amount, min(currency) AS currency FROM orders
        GROUP BY payment_id) AS o
    WHERE o.payment_id = p.payment_id
    """,
    """
    UPDATE orders AS o SET created_at = p.created_at, redirect_url = p.redirect_url,
        failure_reason = p.failure_reason, failure_message = p.failure_message,
        failure_psp_code = p.failure_psp_code
    FROM payments AS p WHERE p.payment_id = o.payment_id
    """,
    """
    ALTER TABLE payments
        ALTER COLUMN amount SET NOT NULL,
        ALTER COLUMN currency SET NOT NULL,
        DROP COLUMN redirect_url
    """,
    "ALTER TABLE orders ALTER COLUMN created_at SET NOT NULL",
    """
    ALTER TABLE orders ADD CONSTRAINT orders_captured_within
        CHECK (captured >= 0 AND captured <= amount)
    """,
    """
    CREATE INDEX payments_newest ON payments (client_id, created_at DESC, payment_id DESC)
    """,
    """
    CREATE INDEX payments_by_buyer
        ON payments (client_id, buyer_id, created_at DESC, payment_id DESC)
    """,
    """
    CREATE INDEX payments_by_checkout
        ON payments (client_id, checkout_id, created_at DESC, payment_id DESC)
    """,
    """
    CREATE INDEX payments_by_status
        ON payments (client_id, status, created_at DESC, payment_id DESC)
    """,
    """
    CREATE INDEX orders_by_seller
        ON orders (client_id, seller_account, created_at DESC, payment_id DESC)
    """,
)


def upgrade() -> None:
    """Widen the tables; what is there is filled in."""
    for statement in _STATEMENTS:
        op.execute(statement)
