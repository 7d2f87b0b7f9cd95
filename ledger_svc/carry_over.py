"""Carries the books of schema 0001 over into those of 0002, chained as stream 1.

Only the migration uses it. It reads `old_…` tables and writes the new ones, in chunks, in the order
in which transactions were written.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import Connection, RowMapping, text

from chassis.money import Money
from ledger_svc.domain import chain
from ledger_svc.domain.account import Side
from ledger_svc.domain.chain import Head
from ledger_svc.domain.transaction import Entry, Heading, Kind, hashed

_CHUNK = 2_000
_STREAM = 1

_ACCOUNTS = """
INSERT INTO accounts (account_id, type, currency, status, floor, balance, pending_in, pending_out,
    entry_count, last_entry_at, created_at, metadata)
SELECT account_id, type, currency, status, CASE WHEN floor <= 0 THEN floor END, balance, 0, 0,
    entry_count, created_at, created_at, '{}'
FROM old_accounts ORDER BY created_at, account_id
"""
_CLOSED = """
INSERT INTO claims (reference, closed_reason)
SELECT reference, reason FROM old_claims WHERE is_closed
"""
_BOOKED = """
SELECT t.*, e.line, e.account_id, e.side, e.amount, e.currency, e.balance_after, e.account_sequence,
    a.account_key
FROM old_transactions t
    JOIN old_entries e ON e.transaction_id = t.transaction_id
    JOIN accounts a ON a.account_id = e.account_id
ORDER BY t.created_at, t.transaction_id, e.line
"""
_CLAIM = "INSERT INTO claims (reference, transaction_id) VALUES (:reference, :transaction_id)"
_TRANSACTION = """
INSERT INTO transactions (transaction_id, created_at, effective_at, kind, reference, description,
    subject_id, reverses_reference, hash)
VALUES (:transaction_id, :created_at, :effective_at, 'POSTED', :reference, :description,
    :subject_id, nullif(:reverses_reference, ''), :hash)
"""
_ENTRY = """
INSERT INTO entries
    (account_key, account_sequence, transaction_id, line, is_debit, amount, balance_after)
VALUES (:account_key, :account_sequence, :transaction_id, :line, :is_debit, :amount, :balance_after)
"""
_STREAM_ROW = """
INSERT INTO streams (stream, number, hash, written_at, epoch, leased_until)
VALUES (:stream, :number, :hash, :written_at, 0, now())
"""
_LAST_ENTRIES = "UPDATE accounts SET last_entry_at = :at WHERE entry_count > 0"


Booked = Sequence[RowMapping]


def carry_over(connection: Connection) -> None:
    """Copy everything; the old tables stay as they are.

    A floor above zero is dropped: a new account could not have met it.
    """
    connection.execute(text(_ACCOUNTS))
    connection.execute(text(_CLOSED))
    head = Head(_STREAM)
    found = connection.execute(text(_BOOKED).execution_options(yield_per=_CHUNK)).mappings()
    for _, group in groupby(found, key=lambda row: row["transaction_id"]):
        head = _write(connection, head, list(group))
    if head.number:
        values = {"stream": _STREAM, "number": head.number, "hash": head.hash}
        connection.execute(text(_STREAM_ROW), {**values, "written_at": head.written_at})
        connection.execute(text(_LAST_ENTRIES), {"at": head.written_at})


def _write(connection: Connection, head: Head, rows: Booked) -> Head:
    first = rows[0]
    # Strictly later than the one before, as the ledger writes from now on.
    at = max(first["created_at"], head.written_at + timedelta(microseconds=1))
    transaction_id = chain.transaction_id(at, _STREAM, head.number + 1)
    heading = Heading(
        first["reference"],
        Kind.POSTED,
        first["description"],
        first["subject_id"],
        first["effective_at"],
        reverses_reference=first["reverses_reference"],
    )
    entries = [_entry(transaction_id, heading, at, row) for row in rows]
    hash_ = hashed(head.hash, transaction_id, heading, at, entries, ())
    name = transaction_id.removeprefix("txn_")
    common = {"transaction_id": name, "created_at": at, "hash": hash_}
    connection.execute(text(_CLAIM), {"transaction_id": name, "reference": first["reference"]})
    connection.execute(text(_TRANSACTION), {**first, **common})
    connection.execute(
        text(_ENTRY),
        [{**row, **common, "is_debit": row["side"] == "DEBIT"} for row in rows],
    )
    return Head(_STREAM, head.number + 1, hash_, at)


def _entry(transaction_id: str, heading: Heading, at: datetime, row: RowMapping) -> Entry:
    return Entry(
        transaction_id,
        heading.reference,
        row["line"],
        row["account_id"],
        Side(row["side"]),
        Money.of_stored(row["amount"], row["currency"]),
        Money.of_stored(row["balance_after"], row["currency"]),
        row["account_sequence"],
        at,
        heading.effective_at,
        heading.subject_id,
    )
