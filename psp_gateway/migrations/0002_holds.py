"""Authorizations, captures and voids."""

from alembic import op

revision = "0002"
down_revision = "0001"

_STATEMENTS = (
    # When the PSP lets go of what is held; null unless an authorization succeeded.
    "ALTER TABLE attempts ADD COLUMN expires_at timestamptz",
    "ALTER TABLE attempts DROP CONSTRAINT attempts_kind_check",
    "ALTER TABLE attempts DROP CONSTRAINT attempts_stage_check",
    "ALTER TABLE attempts DROP CONSTRAINT attempts_refund",
    """
    ALTER TABLE attempts ADD CONSTRAINT attempts_kind_check
        CHECK (kind IN ('CHARGE', 'AUTHORIZATION', 'CAPTURE', 'VOID', 'REFUND'))
    """,
    """
    ALTER TABLE attempts ADD CONSTRAINT attempts_stage_check
        CHECK (stage IN ('CREATE', 'CONFIRM', 'CAPTURE', 'VOID', 'REFUND'))
    """,
    """
    ALTER TABLE attempts ADD CONSTRAINT attempts_about CHECK (
        CASE WHEN kind IN ('CHARGE', 'AUTHORIZATION')
            THEN charge_attempt_id = '' AND stage IN ('CREATE', 'CONFIRM')
            ELSE charge_attempt_id <> '' AND stage = kind
        END
    )
    """,
    """
    ALTER TABLE attempts ADD CONSTRAINT attempts_held CHECK (
        (expires_at IS NOT NULL) = (kind = 'AUTHORIZATION' AND outcome = 'SUCCEEDED')
    )
    """,
)


def upgrade() -> None:
    """Widen what an attempt may be."""
    for statement in _STATEMENTS:
        op.execute(statement)
