"""The schema of the payment database. The migrations make it; a test holds the two together."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from audit_log import schema as audit_log
from payment_svc.operations import tables as operations_tables
from payment_svc.webhooks import tables as webhook_tables

METADATA = MetaData()
_NOW = text("now()")
_ALL_OR_NOTHING = text("'ALL_OR_NOTHING'")


def _at(name: str, *, nullable: bool = False) -> Column[datetime]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _newest_first(name: str, *columns: str) -> Index:
    newest = (text("created_at DESC"), text("payment_id DESC"))
    return Index(name, "client_id", *columns, *newest)


PAYMENTS = Table(
    "payments",
    METADATA,
    Column("payment_id", Text, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("checkout_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("buyer_id", Text, nullable=False),
    Column("buyer_email", Text),
    Column("buyer_ip", Text),
    Column("buyer_country", Text),
    Column("payment_token", Text),  # dropped once the payment is over
    Column("failure_reason", Text),
    Column("failure_message", Text),
    Column("failure_psp_code", Text),
    _at("created_at"),
    _at("executed_at", nullable=True),
    Column("revision", Integer, nullable=False, server_default=text("1")),  # counts the writes
    Column("capture_method", Text, nullable=False, server_default=text("'AUTOMATIC'")),
    Column("partial_failure_policy", Text, nullable=False, server_default=_ALL_OR_NOTHING),
    _at("capture_before", nullable=True),
    Column("amount", Numeric(19, 4), nullable=False),
    Column("currency", Text, nullable=False),
    Column("page", JSONB),  # of a checkout session: how the PSP's page is to be
    Column("payment_method", Text, nullable=False, server_default=text("'CARD'")),
    Column("buyer_email_encrypted", LargeBinary),
    Column("buyer_ip_encrypted", LargeBinary),
    Column("payment_token_encrypted", LargeBinary),
    Column("page_encrypted", LargeBinary),
    _newest_first("payments_newest"),
    _newest_first("payments_by_buyer", "buyer_id"),
    _newest_first("payments_by_checkout", "checkout_id"),
    _newest_first("payments_by_status", "status"),
)

ORDERS = Table(
    "orders",
    METADATA,
    Column("order_id", Text, primary_key=True),
    Column("payment_id", Text, ForeignKey("payments.payment_id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("payment_order_id", Text, nullable=False),
    Column("seller_account", Text, nullable=False),
    Column("amount", Numeric(19, 4), nullable=False),
    Column("currency", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("captured", Numeric(19, 4)),  # what the client asked to capture; null: no word yet
    Column("failure_reason", Text),
    Column("failure_message", Text),
    Column("failure_psp_code", Text),
    Column("redirect_url", Text),
    _at("created_at"),  # the payment's
    Column("redirect_url_encrypted", LargeBinary),
    _newest_first("orders_by_seller", "seller_account"),
    CheckConstraint("captured >= 0 AND captured <= amount", name="orders_captured_within"),
    CheckConstraint("amount > 0", name="orders_amount_above_zero"),
    UniqueConstraint("payment_id", "position", name="orders_position"),
    Index(
        "orders_payment_order_id_in_use",
        "client_id",
        "payment_order_id",
        unique=True,
        postgresql_where=text("status NOT IN ('FAILED', 'CANCELLED')"),
    ),
)

IDEMPOTENCY_RECORDS = Table(
    "idempotency_records",
    METADATA,
    Column("client_id", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("idempotency_key", Text, nullable=False),
    Column("fingerprint", JSONB, nullable=False),
    Column("payment_id", Text, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    _at("created_at"),
    PrimaryKeyConstraint("client_id", "method", "idempotency_key"),
)

SAGAS = Table(
    "sagas",
    METADATA,
    Column("saga_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("definition_version", Integer, nullable=False),
    Column("payment_id", Text, nullable=False),
    Column("order_id", Text),  # the one order it moves; null: all of them
    Column("queue", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("turned_round", Boolean, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("memory", JSONB, nullable=False),
    Column("journal_length", Integer, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("lease_owner", Text),  # who holds it; null when it is parked
    _at("due_at", nullable=True),  # while held: when the lease ends
    _at("step_since"),
    _at("created_at"),
    Column("moved_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("unmoved", Integer, nullable=False, server_default=text("0")),  # claims since moved_at
    Column("last_error", Text, nullable=False, server_default=text("''")),  # its class; no more
    Index(
        "sagas_suspect",
        "due_at",
        "saga_id",
        postgresql_where=text("queue IN ('PAYMENT', 'RETRY', 'WAITING') AND unmoved >= 2"),
    ),
    Index(
        "sagas_due",
        "due_at",
        "saga_id",
        postgresql_where=text("queue IN ('PAYMENT', 'RETRY', 'WAITING')"),
    ),
    Index("sagas_by_payment", "payment_id"),
    Index(
        "sagas_unknown",
        "created_at",
        postgresql_where=text("memory ? 'unknown_since' AND queue <> 'DONE'"),
    ),
    Index(
        "sagas_rested",
        "moved_at",
        "saga_id",
        postgresql_where=text("queue IN ('DONE', 'DEAD_LETTER')"),
    ),
    Index("sagas_dead", "created_at", postgresql_where=text("queue = 'DEAD_LETTER'")),
)

SAGA_STEPS = Table(
    "saga_steps",
    METADATA,
    Column("saga_id", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("step", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("definition_version", Integer, nullable=False),
    _at("started_at"),
    _at("finished_at"),
    PrimaryKeyConstraint("saga_id", "sequence"),
)

STATUS_HISTORY = Table(
    "status_history",
    METADATA,
    Column("change_id", BigInteger, Identity(always=True), primary_key=True),
    Column("payment_id", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("from_status", Text, nullable=False),
    Column("to_status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    _at("changed_at"),
    Index("status_history_by_payment", "payment_id", "change_id"),
)

OUTBOX = Table(
    "outbox",
    METADATA,
    Column("event_id", BigInteger, Identity(always=True), primary_key=True),
    Column("object_id", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    _at("published_at", nullable=True),
    Column("client_id", Text, Computed("payload ->> 'client_id'::text", persisted=True)),
    UniqueConstraint("object_id", "sequence"),
    Index("outbox_by_client", "client_id", "created_at", "event_id"),
    Index("outbox_unpublished", "event_id", postgresql_where=text("published_at IS NULL")),
)

CASES = Table(
    "cases",
    METADATA,
    Column("case_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("payment_id", Text, ForeignKey("payments.payment_id"), nullable=False),
    Column("client_id", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("psp", Text, nullable=False),
    Column("psp_reference", Text, nullable=False),
    Column("amount", Numeric(19, 4), nullable=False),
    Column("currency", Text, nullable=False),
    _at("opened_at"),
    _at("closed_at", nullable=True),
    Column("resolution", Text, nullable=False),
    CheckConstraint("status IN ('OPEN', 'CLOSED')"),
    CheckConstraint("amount > 0"),
    Index("cases_by_payment", "payment_id"),
    Index("cases_by_status", "status", text("opened_at DESC"), text("case_id DESC")),
)

CASE_HISTORY = Table(
    "case_history",
    METADATA,
    Column("case_id", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    _at("at"),
    Column("kind", Text, nullable=False),
    Column("detail", Text, nullable=False),
    PrimaryKeyConstraint("case_id", "sequence"),
)

DATA_KEYS = Table(
    "data_keys",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("wrapped_by", Text, nullable=False),  # the name of the key-encryption key
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
)

audit_log.describe(METADATA)
operations_tables.describe(METADATA)
webhook_tables.describe(METADATA)
