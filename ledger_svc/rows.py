"""Rows of the ledger's tables to the domain's objects."""

from collections.abc import Sequence
from typing import Any

from psycopg.rows import DictRow

from chassis.money import Money
from ledger_svc.domain.account import Account, AccountStatus, AccountType, Side
from ledger_svc.domain.books import Books
from ledger_svc.domain.transaction import Entry, Transaction


def to_account(row: DictRow) -> Account:
    """Read a row of `accounts`."""
    currency, floor = row["currency"], row["floor"]
    return Account(
        account_id=row["account_id"],
        type=AccountType(row["type"]),
        status=AccountStatus(row["status"]),
        floor=None if floor is None else Money.of_stored(floor, currency),
        balance=Money.of_stored(row["balance"], currency),
        entry_count=row["entry_count"],
    )


def to_entry(row: DictRow) -> Entry:
    """Read a row of `entries` with the reference of its transaction."""
    return Entry(
        transaction_id=row["transaction_id"],
        reference=row["reference"],
        line=row["line"],
        account_id=row["account_id"],
        side=Side(row["side"]),
        amount=Money.of_stored(row["amount"], row["currency"]),
        balance_after=Money.of_stored(row["balance_after"], row["currency"]),
        account_sequence=row["account_sequence"],
        created_at=row["created_at"],
    )


def to_transactions(rows: Sequence[DictRow]) -> list[Transaction]:
    """Read rows of `transactions` joined with their entries, those of one transaction in order."""
    entries: dict[str, list[Entry]] = {}
    heads: dict[str, DictRow] = {}
    for row in rows:
        heads.setdefault(row["reference"], row)
        entries.setdefault(row["reference"], []).append(to_entry(row))
    return [_to_transaction(heads[reference], entries[reference]) for reference in heads]


def _to_transaction(head: DictRow, entries: Sequence[Entry]) -> Transaction:
    return Transaction(
        transaction_id=head["transaction_id"],
        reference=head["reference"],
        description=head["description"],
        subject_id=head["subject_id"],
        effective_at=head["effective_at"],
        created_at=head["created_at"],
        reverses_reference=head["reverses_reference"],
        entries=tuple(entries),
    )


def claim_rows(books: Books) -> list[tuple[Any, ...]]:
    """Write the claims of what was decided, in the order in which every batch takes them."""
    claims = [(t.reference, False, "", books.now) for t in books.posted]
    claims += [(closing.reference, True, closing.reason, books.now) for closing in books.closings]
    return sorted(claims)


def transaction_rows(transactions: Sequence[Transaction]) -> list[tuple[Any, ...]]:
    """Write rows of `transactions`."""
    return [
        (
            t.transaction_id,
            t.reference,
            t.description,
            t.subject_id,
            t.effective_at,
            t.created_at,
            t.reverses_reference,
        )
        for t in transactions
    ]


def entry_rows(transactions: Sequence[Transaction]) -> list[tuple[Any, ...]]:
    """Write rows of `entries`."""
    return [
        (
            e.transaction_id,
            e.line,
            e.account_id,
            e.side.value,
            e.amount.amount,
            e.amount.currency,
            e.balance_after.amount,
            e.account_sequence,
            e.created_at,
        )
        for t in transactions
        for e in t.entries
    ]
