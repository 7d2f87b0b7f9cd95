"""A charge may be made by its buyer on a page of the PSP's."""

from alembic import op

revision = "0005"
down_revision = "0004"

_STATEMENTS = (
    # When the page closes; null for a charge without one.
    "ALTER TABLE attempts ADD COLUMN page_expires_at timestamptz",
    "ALTER TABLE attempts DROP CONSTRAINT attempts_stage_check",
    "ALTER TABLE attempts DROP CONSTRAINT attempts_about",
    """
    ALTER TABLE attempts ADD CONSTRAINT attempts_stage_check
        CHECK (stage IN ('OPEN', 'PAGE', 'CREATE', 'CONFIRM', 'CAPTURE', 'VOID', 'REFUND'))
    """,
    """
    ALTER TABLE attempts ADD CONSTRAINT attempts_about CHECK (
        CASE WHEN kind IN ('CHARGE', 'AUTHORIZATION')
            THEN charge_attempt_id = '' AND stage IN ('OPEN', 'PAGE', 'CREATE', 'CONFIRM')
            ELSE charge_attempt_id <> '' AND stage = kind
        END
    )
    """,
    """
    ALTER TABLE attempts ADD CONSTRAINT attempts_paged CHECK (
        stage NOT IN ('OPEN', 'PAGE') OR page_expires_at IS NOT NULL
    )
    """,
    # Where the buyer is sent is known by its id.
    """
    ALTER TABLE attempts ADD CONSTRAINT attempts_open CHECK (
        stage <> 'PAGE' OR psp_reference <> ''
    )
    """,
)


def upgrade() -> None:
    """Let a charge pass OPEN and PAGE."""
    for statement in _STATEMENTS:
        op.execute(statement)
