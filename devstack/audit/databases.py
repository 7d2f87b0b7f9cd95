"""Reads the services' databases with the rights of their own app roles: each in one read-only
snapshot, whole.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString

from devstack.audit import facts

# A saga that is due this long and that nobody holds was forgotten: workers look every half second.
_OVERDUE = "interval '5 minutes'"

Tell = Callable[[str], None]
Read = tuple[str, Any, LiteralString]

_PAYMENT: Sequence[Read] = (
    (
        "payments",
        facts.PaymentFact,
        "SELECT payment_id, client_id, status, amount, currency, partial_failure_policy,"
        " failure_reason, created_at FROM payments",
    ),
    (
        "orders",
        facts.OrderFact,
        "SELECT order_id, payment_id, seller_account, status, amount, captured, failure_reason,"
        " payment_order_id FROM orders",
    ),
    (
        "sagas",
        facts.SagaFact,
        "SELECT saga_id, kind, payment_id, order_id, queue, step, reason, turned_round, due_at,"
        f" lease_owner, coalesce(due_at < now() - {_OVERDUE}, false) FROM sagas",
    ),
    (
        "paths",
        facts.PathFact,
        "SELECT subject_id, min(payment_id),"
        " string_agg(from_status || '>' || to_status, ' ' ORDER BY change_id)"
        " FROM status_history GROUP BY subject_id",
    ),
    (
        "keys",
        facts.KeyFact,
        "SELECT client_id, method, idempotency_key, payment_id FROM idempotency_records",
    ),
    (
        "events",
        facts.EventFact,
        "SELECT object_id, count(*), max(sequence), count(*) FILTER (WHERE published_at IS NULL),"
        " (array_agg(payload ->> 'status' ORDER BY sequence DESC))[1]"
        " FROM outbox GROUP BY object_id",
    ),
    (
        "resolutions",
        facts.ResolutionFact,
        "SELECT attempt_id, decision FROM resolutions WHERE approved_by IS NOT NULL",
    ),
    (
        "deliveries",
        facts.DeliveryFact,
        "SELECT endpoint_id, object_id, sequence, type, status FROM webhook_deliveries",
    ),
)
_PSP: Sequence[Read] = (
    (
        "attempts",
        facts.AttemptFact,
        "SELECT attempt_id, kind, payment_id, psp, amount, currency, charge_attempt_id, outcome,"
        " delivery, reason, psp_code, psp_reference FROM attempts",
    ),
    (
        "payouts",
        facts.PayoutFact,
        "SELECT attempt_id, payout_id, psp, p.amount, p.currency, state,"
        " coalesce(end_to_end_id, '') FROM payouts AS p LEFT JOIN bank_orders USING (attempt_id)",
    ),
    (
        "inbox",
        facts.InboxFact,
        "SELECT psp, event_id, event_type, attempt_id, state, coalesce(due_at <= now(), false)"
        " FROM webhook_events",
    ),
)
_RISK: Sequence[Read] = (
    ("assessments", facts.AssessmentFact, "SELECT payment_id, decision FROM assessments"),
)
_WALLET: Sequence[Read] = (
    (
        "wallets",
        facts.WalletFact,
        "SELECT wallet_id, pending, available, held, credit_limit, operation_count FROM wallets",
    ),
    (
        "operations",
        facts.OperationFact,
        "SELECT operation_id, wallet_id, kind, subject_id, wallet_sequence, pending_change,"
        " available_change, held_change, pending_after, available_after, held_after,"
        " wallet_version FROM operations",
    ),
    (
        "limits",
        facts.LimitFact,
        "SELECT wallet_id, version, before::numeric FROM wallet_changes"
        " WHERE what = 'CREDIT_LIMIT'",
    ),
)
_LEDGER: Sequence[Read] = (
    (
        "accounts",
        facts.AccountFact,
        "SELECT account_id, type, currency, balance, entry_count FROM accounts",
    ),
    (
        "transactions",
        facts.TransactionFact,
        "SELECT transaction_id::text, kind, reference, subject_id, reverses_reference, template"
        " FROM transactions",
    ),
    (
        "entries",
        facts.EntryFact,
        "SELECT transaction_id::text, account_id, account_sequence, is_debit, amount,"
        " balance_after FROM entries JOIN accounts USING (account_key)",
    ),
)
READS: Mapping[str, Sequence[Read]] = {
    "payment": _PAYMENT,
    "psp": _PSP,
    "risk": _RISK,
    "wallet": _WALLET,
    "ledger": _LEDGER,
}
# A saga that moves is claimed, and writes into its journal: these only grow.
_MARKS: LiteralString = (
    "SELECT payment_id, count(*), sum(epoch), sum(journal_length) FROM sagas GROUP BY payment_id"
)


def read_context(url: str, context: str, tell: Tell) -> dict[str, Any]:
    """Read all that an audit needs of one service, as of one moment.

    Raises:
        psycopg.Error: it cannot be read whole.
    """
    import psycopg

    found: dict[str, Any] = {}
    with psycopg.connect(url, connect_timeout=10) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        for name, fact, query in READS[context]:
            found[name] = list(map(fact._make, connection.execute(query).fetchall()))
            tell(f"{context}: {len(found[name]):,} {name}")
        if context == "payment":
            found["marks"] = _marks(connection)
            found["read_at"] = _now(connection)
    return found


def read_marks(url: str) -> set[tuple[Any, ...]]:
    """Read how far each saga is, to tell which moved in the meantime.

    Raises:
        psycopg.Error: it cannot be read.
    """
    import psycopg

    with psycopg.connect(url, connect_timeout=10) as connection:
        connection.read_only = True
        return _marks(connection)


def _marks(connection: Any) -> set[tuple[Any, ...]]:
    return set(connection.execute(_MARKS).fetchall())


def _now(connection: Any) -> datetime:
    row = connection.execute("SELECT now()").fetchone()
    moment: datetime = row[0]
    return moment
