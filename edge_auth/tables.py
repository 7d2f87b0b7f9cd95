"""The schema of the edge_auth database. The migrations make it; a test holds the two together."""

from sqlalchemy import Column, DateTime, ForeignKey, Index, LargeBinary, MetaData, Table, Text

from audit_log import schema as audit_log

METADATA = MetaData()

CLIENTS = Table(
    "clients",
    METADATA,
    Column("client_id", Text, primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("key_id", Text, primary_key=True),
    Column("client_id", Text, ForeignKey("clients.client_id"), nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
    Index("api_keys_by_client", "client_id"),
)

audit_log.describe(METADATA)
