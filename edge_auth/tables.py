"""The schema of the edge_auth database. The migrations make it; a test holds the two together."""

from sqlalchemy import (
    ARRAY,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
)

from audit_log import schema as audit_log

METADATA = MetaData()

CLIENTS = Table(
    "clients",
    METADATA,
    Column("client_id", Text, primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("signing", Boolean, nullable=False),
    Column("requests_per_second", Integer),
    Column("burst", Integer),
    Column("revoked_at", DateTime(timezone=True)),
)

API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("key_id", Text, primary_key=True),
    Column("client_id", Text, ForeignKey("clients.client_id"), nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
    Column("expires_at", DateTime(timezone=True)),
    Index("api_keys_by_client", "client_id"),
)

SIGNING_SECRETS = Table(
    "signing_secrets",
    METADATA,
    Column("secret_id", Text, primary_key=True),
    Column("client_id", Text, ForeignKey("clients.client_id"), nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # see edge_auth.sealing
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    Index("signing_secrets_by_client", "client_id"),
)

CLIENT_CHANGES = Table(
    "client_changes",
    METADATA,
    Column("change_id", Uuid, primary_key=True),
    Column("client_id", Text, ForeignKey("clients.client_id"), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Index("client_changes_by_client", "client_id", "at"),
)

audit_log.describe(METADATA)
