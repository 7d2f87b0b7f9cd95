"""The log's tables: for a service's schema, and for its migrations.

PostgreSQL alone tells which transaction wrote a line, and which are still under way; its ids of 64
bits are kept as numbers.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from audit_log.record import ActorKind, Origin, Record

_TIME = DateTime(timezone=True)
_XID = "(pg_current_xact_id()::text)::bigint"

_STATEMENTS = (
    """
    CREATE TABLE audit_log (
        sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        xid bigint NOT NULL DEFAULT (pg_current_xact_id()::text)::bigint,
        at timestamptz NOT NULL DEFAULT now(),
        actor_kind text NOT NULL CONSTRAINT audit_log_actor_kind
            CHECK (actor_kind IN ('client', 'operator', 'service')),
        actor_id text NOT NULL CONSTRAINT audit_log_actor CHECK (actor_id <> ''),
        is_verified boolean NOT NULL,
        action text NOT NULL CONSTRAINT audit_log_action CHECK (action <> ''),
        request_id text NOT NULL,
        object_kind text NOT NULL,
        object_id text NOT NULL,
        reason text NOT NULL,
        before jsonb NOT NULL,
        after jsonb NOT NULL,
        hash bytea NOT NULL CONSTRAINT audit_log_hash CHECK (length(hash) = 32)
    )
    """,
    "CREATE INDEX audit_log_by_xid ON audit_log (xid, sequence)",
    "CREATE INDEX audit_log_by_object ON audit_log (object_id, sequence)",
    "CREATE INDEX audit_log_by_actor ON audit_log (actor_id, sequence)",
    """
    CREATE TABLE audit_seals (
        number bigint PRIMARY KEY,
        at timestamptz NOT NULL,
        horizon bigint NOT NULL,
        sequences bigint[] NOT NULL,
        digests bytea[] NOT NULL,
        previous bytea NOT NULL,
        hash bytea NOT NULL CONSTRAINT audit_seals_hash CHECK (length(hash) = 32)
    )
    """,
)
_FIRST = """
INSERT INTO audit_log (actor_kind, actor_id, is_verified, action, request_id, object_kind,
    object_id, reason, before, after, hash)
VALUES ('{kind}', '{actor}', false, '{action}', '', 'audit_log', '{service}', '', '{{}}', '{{}}',
    '\\x{hash}')
"""


def first_record(service: str) -> Record:
    """Make the record that every log begins with: since when there is one."""
    origin = Origin(ActorKind.SERVICE, "migrations", is_verified=False, action="migrations/Begin")
    return Record(origin, "audit_log", service)


def create(op: Any, service: str) -> None:
    """Create the log in a migration; the app role may add to it and read it, nothing else.

    Args:
        op: Alembic's.
        service: the folder's name.
    """
    for statement in _STATEMENTS:
        op.execute(statement)
    first = first_record(service)
    who = first.origin
    op.execute(
        _FIRST.format(
            kind=who.actor_kind,
            actor=who.actor_id,
            action=who.action,
            service=service,
            hash=first.hash.hex(),
        )
    )
    app_role = op.get_context().opts["app_role"]
    op.execute(f'GRANT SELECT, INSERT ON audit_log, audit_seals TO "{app_role}"')


def describe(metadata: MetaData) -> None:
    """Add the tables to a service's schema."""
    Table(
        "audit_log",
        metadata,
        Column("sequence", BigInteger, Identity(always=True), primary_key=True),
        Column("xid", BigInteger, nullable=False, server_default=text(_XID)),
        Column("at", _TIME, nullable=False, server_default=text("now()")),
        Column("actor_kind", Text, nullable=False),
        Column("actor_id", Text, nullable=False),
        Column("is_verified", Boolean, nullable=False),
        Column("action", Text, nullable=False),
        Column("request_id", Text, nullable=False),
        Column("object_kind", Text, nullable=False),
        Column("object_id", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("before", JSONB, nullable=False),
        Column("after", JSONB, nullable=False),
        Column("hash", LargeBinary, nullable=False),
        Index("audit_log_by_xid", "xid", "sequence"),
        Index("audit_log_by_object", "object_id", "sequence"),
        Index("audit_log_by_actor", "actor_id", "sequence"),
    )
    Table(
        "audit_seals",
        metadata,
        Column("number", BigInteger, primary_key=True, autoincrement=False),
        Column("at", _TIME, nullable=False),
        Column("horizon", BigInteger, nullable=False),
        Column("sequences", ARRAY(BigInteger), nullable=False),
        Column("digests", ARRAY(LargeBinary), nullable=False),
        Column("previous", LargeBinary, nullable=False),
        Column("hash", LargeBinary, nullable=False),
    )
