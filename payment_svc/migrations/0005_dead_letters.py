"""What operators need: claims without a move, the actions of operators, and resolutions by two
persons.
"""

from alembic import op

revision = "0005"
down_revision = "0004"

_STATEMENTS = (
    # `unmoved` counts the claims since the last recorded move: of a saga that kills its worker too.
    """
    ALTER TABLE sagas
        ADD COLUMN moved_at timestamptz NOT NULL DEFAULT now(),
        ADD COLUMN unmoved integer NOT NULL DEFAULT 0,
        ADD COLUMN last_error text NOT NULL DEFAULT ''
    """,
    # Those that may be poison are claimed one at a time, apart from the others.
    """
    CREATE INDEX sagas_suspect ON sagas (due_at, saga_id)
        WHERE queue IN ('PAYMENT', 'RETRY', 'WAITING') AND unmoved >= 2
    """,
    """
    CREATE TABLE operator_actions (
        action_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL,
        actor text NOT NULL CONSTRAINT operator_actions_actor CHECK (actor <> ''),
        is_verified boolean NOT NULL,
        kind text NOT NULL,
        payment_id text NOT NULL,
        saga_id text NOT NULL,
        resolution_id text,
        reason text NOT NULL CONSTRAINT operator_actions_reason CHECK (reason <> ''),
        before jsonb NOT NULL,
        after jsonb NOT NULL
    )
    """,
    "CREATE INDEX operator_actions_by_payment ON operator_actions (payment_id, action_id)",
    """
    CREATE TABLE resolutions (
        resolution_id text PRIMARY KEY,
        saga_id text NOT NULL,
        payment_id text NOT NULL,
        saga_epoch bigint NOT NULL,
        step text NOT NULL,
        action text NOT NULL,
        attempt_id text NOT NULL,
        decision text NOT NULL,
        psp_reference text NOT NULL,
        amount numeric(19, 4),
        currency text,
        evidence text NOT NULL CONSTRAINT resolutions_evidence CHECK (evidence <> ''),
        evidence_link text NOT NULL,
        reason text NOT NULL CONSTRAINT resolutions_reason CHECK (reason <> ''),
        status text NOT NULL,
        proposed_by text NOT NULL,
        is_proposer_verified boolean NOT NULL,
        proposed_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        approved_by text,
        decided_by text,
        is_decider_verified boolean,
        decided_at timestamptz,
        note text NOT NULL DEFAULT '',
        CONSTRAINT resolutions_two_persons CHECK (approved_by <> proposed_by),
        CONSTRAINT resolutions_approved
            CHECK (approved_by IS NOT NULL OR status IN ('PROPOSED', 'REJECTED', 'EXPIRED'))
    )
    """,
    """
    CREATE UNIQUE INDEX resolutions_open ON resolutions (saga_id)
        WHERE status IN ('PROPOSED', 'APPROVED')
    """,
    "CREATE INDEX resolutions_approved_ones ON resolutions (decided_at) WHERE status = 'APPROVED'",
    "CREATE INDEX resolutions_by_saga ON resolutions (saga_id, resolution_id)",
)

# What operators did is never changed: the app role cannot.
_GRANTS = {"operator_actions": "SELECT, INSERT", "resolutions": "SELECT, INSERT, UPDATE"}


def upgrade() -> None:
    """Widen the sagas, create the tables, and grant the app role what it needs, no more."""
    for statement in _STATEMENTS:
        op.execute(statement)
    app_role = op.get_context().opts["app_role"]
    for table, privileges in _GRANTS.items():
        op.execute(f'GRANT {privileges} ON {table} TO "{app_role}"')
