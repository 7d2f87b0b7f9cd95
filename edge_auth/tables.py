"""The schema of the edge_auth database. The migrations make it; a test holds the two together."""

from sqlalchemy import (
    ARRAY,
    Boolean,
    CheckConstraint,
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
    text,
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
    Column("sealed", LargeBinary),  # see edge_auth.former_seals
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    Column("value_encrypted", LargeBinary),
    Index("signing_secrets_by_client", "client_id"),
    CheckConstraint("value_encrypted IS NOT NULL OR sealed IS NOT NULL", "signing_secrets_kept"),
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

DATA_KEYS = Table(
    "data_keys",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("wrapped_by", Text, nullable=False),  # the name of the key-encryption key
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
)

audit_log.describe(METADATA)
