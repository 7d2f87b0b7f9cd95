"""The operators' part of the payment database's schema; `tables.py` takes it in."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    MetaData,
    Numeric,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

_TIME = DateTime(timezone=True)


def describe(metadata: MetaData) -> None:
    """Add the tables to a schema."""
    _describe_actions(metadata)
    _describe_resolutions(metadata)


def _describe_actions(metadata: MetaData) -> None:
    Table(
        "operator_actions",
        metadata,
        Column("action_id", BigInteger, Identity(always=True), primary_key=True),
        Column("at", _TIME, nullable=False),
        Column("actor", Text, nullable=False),
        Column("is_verified", Boolean, nullable=False),  # by a certificate
        Column("kind", Text, nullable=False),
        Column("payment_id", Text, nullable=False),
        Column("saga_id", Text, nullable=False),
        Column("resolution_id", Text),
        Column("reason", Text, nullable=False),
        Column("before", JSONB, nullable=False),
        Column("after", JSONB, nullable=False),
        CheckConstraint("actor <> ''", name="operator_actions_actor"),
        CheckConstraint("reason <> ''", name="operator_actions_reason"),
        Index("operator_actions_by_payment", "payment_id", "action_id"),
    )


def _describe_resolutions(metadata: MetaData) -> None:
    Table(
        "resolutions",
        metadata,
        Column("resolution_id", Text, primary_key=True),
        Column("saga_id", Text, nullable=False),
        Column("payment_id", Text, nullable=False),
        Column("saga_epoch", BigInteger, nullable=False),  # of the saga that was looked at
        Column("step", Text, nullable=False),
        Column("action", Text, nullable=False),
        Column("attempt_id", Text, nullable=False),
        Column("decision", Text, nullable=False),
        Column("psp_reference", Text, nullable=False),
        Column("amount", Numeric(19, 4)),
        Column("currency", Text),
        Column("evidence", Text, nullable=False),
        Column("evidence_link", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("status", Text, nullable=False),
        Column("proposed_by", Text, nullable=False),
        Column("is_proposer_verified", Boolean, nullable=False),
        Column("proposed_at", _TIME, nullable=False),
        Column("expires_at", _TIME, nullable=False),
        Column("approved_by", Text),
        Column("decided_by", Text),  # who approved, rejected or withdrew it
        Column("is_decider_verified", Boolean),
        Column("decided_at", _TIME),
        Column("note", Text, nullable=False, server_default=text("''")),
        CheckConstraint("approved_by <> proposed_by", name="resolutions_two_persons"),
        CheckConstraint(
            "approved_by IS NOT NULL OR status IN ('PROPOSED', 'REJECTED', 'EXPIRED')",
            name="resolutions_approved",
        ),
        Index(
            "resolutions_open",
            "saga_id",
            unique=True,
            postgresql_where=text("status IN ('PROPOSED', 'APPROVED')"),
        ),
        Index(
            "resolutions_approved_ones",
            "decided_at",
            postgresql_where=text("status = 'APPROVED'"),
        ),
        Index("resolutions_by_saga", "saga_id", "resolution_id"),
    )
