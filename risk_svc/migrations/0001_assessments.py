"""Assessments: a decision per payment, for ever."""

from alembic import op

revision = "0001"
down_revision = None

# No buyer, card or address is kept: what a payment was judged by is its amount and bare counts.
_ASSESSMENTS = """
CREATE TABLE assessments (
    payment_id text PRIMARY KEY,
    client_id text NOT NULL,
    decision text NOT NULL CHECK (decision IN ('APPROVED', 'REFUSED')),
    -- [{"rule": …, "reason": …, "message": …}]: each rule that spoke against it.
    rule_hits jsonb NOT NULL,
    amount numeric(19, 4) NOT NULL CHECK (amount > 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    -- {"buyer": 3, …}: the attempts seen, this one included, of each subject with a limit.
    counts jsonb NOT NULL,
    assessed_at timestamptz NOT NULL,
    CONSTRAINT assessments_reasons CHECK ((decision = 'REFUSED') = (rule_hits <> '[]'::jsonb))
)
"""


def upgrade() -> None:
    """Create the table; the app role may read and add, never change."""
    op.execute(_ASSESSMENTS)
    app_role = op.get_context().opts["app_role"]
    op.execute(f'GRANT SELECT, INSERT ON assessments TO "{app_role}"')
