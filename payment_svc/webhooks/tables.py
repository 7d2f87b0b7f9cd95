"""The webhooks' part of the payment database's schema; `tables.py` takes it in."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

_TIME = DateTime(timezone=True)
_NOW, _ZERO = text("now()"), text("0")


def describe(metadata: MetaData) -> None:
    """Add the tables to a schema."""
    Table(
        "webhook_endpoints",
        metadata,
        Column("endpoint_id", Text, primary_key=True),
        Column("client_id", Text, nullable=False),
        Column("slot", Integer, nullable=False),  # which of the 16 that a client may have
        Column("url", Text, nullable=False),
        Column("event_types", ARRAY(Text), nullable=False),  # empty: all
        Column("description", Text, nullable=False),
        Column("status", Text, nullable=False),
        Column("created_at", _TIME, nullable=False),
        CheckConstraint("slot BETWEEN 1 AND 16", name="webhook_endpoints_slot"),
        Index(
            "webhook_endpoints_in_use",
            "client_id",
            "slot",
            unique=True,
            postgresql_where=text("status <> 'DELETED'"),
        ),
    )
    Table(
        "webhook_secrets",
        metadata,
        Column("endpoint_id", Text, nullable=False),
        Column("generation", Integer, nullable=False),
        Column("key_id", Text, nullable=False),  # names the key, tells nothing of it
        Column("created_at", _TIME, nullable=False),
        Column("expires_at", _TIME),  # null: the newest
        PrimaryKeyConstraint("endpoint_id", "generation"),
    )
    _describe_deliveries(metadata)


def _describe_deliveries(metadata: MetaData) -> None:
    Table(
        "webhook_deliveries",
        metadata,
        Column("delivery_id", BigInteger, Identity(always=True), primary_key=True),
        Column("endpoint_id", Text, nullable=False),
        Column("object_id", Text, nullable=False),
        Column("sequence", Integer, nullable=False),
        Column("type", Text, nullable=False),
        Column("status", Text, nullable=False, server_default=text("'PENDING'")),
        Column("attempts", Integer, nullable=False, server_default=_ZERO),  # in all
        Column("tries", Integer, nullable=False, server_default=_ZERO),  # since last asked for
        Column("epoch", BigInteger, nullable=False, server_default=_ZERO),
        Column("lease_owner", Text),  # who sends it now
        Column("due_at", _TIME, server_default=_NOW),  # while it is sent: when the lease ends
        Column("since", _TIME, nullable=False, server_default=_NOW),  # when it was last asked for
        Column("created_at", _TIME, nullable=False, server_default=_NOW),
        Column("delivered_at", _TIME),
        UniqueConstraint("endpoint_id", "object_id", "sequence"),
        Index("webhook_deliveries_by_endpoint", "endpoint_id", "delivery_id"),
        Index(
            "webhook_deliveries_due",
            "endpoint_id",
            "due_at",
            "delivery_id",
            postgresql_where=text("status = 'PENDING'"),
        ),
        Index(
            "webhook_deliveries_held",
            "endpoint_id",
            "due_at",
            postgresql_where=text("lease_owner IS NOT NULL"),
        ),
    )
    Table(
        "webhook_attempts",
        metadata,
        Column("delivery_id", BigInteger, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("started_at", _TIME, nullable=False),
        Column("duration_ms", Integer, nullable=False),
        Column("http_status", Integer),
        Column("failure", Text),
        PrimaryKeyConstraint("delivery_id", "attempt"),
    )
