"""Rows of the ledger's tables to the domain's objects."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from psycopg.rows import DictRow

from chassis.money import Money
from ledger_svc.domain import chain
from ledger_svc.domain.account import (
    Account,
    AccountChange,
    AccountStatus,
    AccountType,
    Side,
    Standing,
)
from ledger_svc.domain.held_accounts import AccountNow
from ledger_svc.domain.posting import Line
from ledger_svc.domain.transaction import Entry, Heading, Kind, ListedEntry, Transaction

_TYPES = {kind.value: kind for kind in AccountType}
_STATUSES = {status.value: status for status in AccountStatus}
_KINDS = {kind.value: kind for kind in Kind}


def to_account(row: DictRow) -> Account:
    """Read a row of `accounts`."""
    currency = row["currency"]
    floor, ceiling = row["floor"], row["ceiling"]
    return Account(
        account_id=row["account_id"],
        key=row["account_key"],
        type=_TYPES[row["type"]],
        currency=currency,
        status=_STATUSES[row["status"]],
        floor=None if floor is None else Money.of_stored(floor, currency),
        ceiling=None if ceiling is None else Money.of_stored(ceiling, currency),
        standing=Standing(
            _money(row["balance"], currency),
            _money(row["pending_in"], currency),
            _money(row["pending_out"], currency),
            row["entry_count"],
        ),
        last_entry_at=row["last_entry_at"],
        metadata=row["metadata"] or {},
        created_at=row["created_at"],
    )


def to_locked(row: tuple[Any, ...], latest: datetime) -> Account:
    """Read a row of `statements.LOCK_ACCOUNTS`: thousands a batch, so by place.

    The time of its newest entry is `latest` where it is left out: it was then or before.
    """
    name, key, kind, currency, status, low, high, balance, coming, going, count, last = row
    nothing = _nothing(currency)
    return Account(
        name,
        key,
        _TYPES[kind],
        currency,
        _STATUSES[status],
        None if low is None else Money.of_stored(low, currency),
        None if high is None else Money.of_stored(high, currency),
        Standing(
            Money.of_stored(balance, currency),
            nothing if coming is None else Money.of_stored(coming, currency),
            nothing if going is None else Money.of_stored(going, currency),
            count,
        ),
        last or latest,
    )


def to_account_now(row: tuple[Any, ...]) -> AccountNow:
    """Read a row of `statements.ACCOUNTS_AFTER`, and share what many have in common."""
    _, kind, currency, balance, coming, going, count = row
    if not (balance or coming or going or count):
        return _unused(kind, currency)
    nothing = _nothing(currency)
    standing = Standing(
        Money.of_stored(balance, nothing.currency),
        _money(coming, nothing.currency),
        _money(going, nothing.currency),
        count,
    )
    return AccountNow(_TYPES[kind], standing)


def to_change(row: DictRow) -> AccountChange:
    """Read a row of `account_changes` with the id of its account."""
    return AccountChange(
        account_id=row["account_id"],
        number=row["number"],
        from_status=AccountStatus(row["from_status"]),
        to_status=AccountStatus(row["to_status"]),
        reason=row["reason"],
        actor=row["actor"],
        changed_at=row["changed_at"],
    )


def to_name(transaction_id: UUID) -> str:
    """Write a transaction's id as the domain does."""
    return f"txn_{transaction_id.hex}"


def to_heading(row: DictRow) -> Heading:
    """Read what a row of `transactions` says beside the lines."""
    return Heading(
        reference=row["reference"],
        kind=_KINDS[row["kind"]],
        description=row["description"],
        subject_id=row["subject_id"],
        effective_at=row["effective_at"],
        expires_at=row["expires_at"],
        reverses_reference=row["reverses_reference"] or "",
        resolves_reference=row["resolves_reference"] or "",
        template=row["template"] or "",
    )


def to_line(row: DictRow) -> Line:
    """Read a row of `pending_lines` with its account's id and currency."""
    return Line(row["account_id"], _side(row), Money.of_stored(row["amount"], row["currency"]))


def to_listed(row: tuple[Any, ...]) -> ListedEntry:
    """Read an entry with what its transaction says: an export has millions, so by place."""
    (
        transaction, line, is_debit, sequence, amount, balance, account_id, currency,
        reference, kind, description, subject_id, effective_at, reverses, resolves, template,
    ) = row  # fmt: skip
    transaction_id = to_name(transaction)
    entry = Entry(
        transaction_id,
        reference,
        line,
        account_id,
        Side.DEBIT if is_debit else Side.CREDIT,
        Money.of_stored(amount, currency),
        Money.of_stored(balance, currency),
        sequence,
        chain.written_at(transaction_id),
        effective_at,
        subject_id,
    )
    heading = Heading(
        reference,
        _KINDS[kind],
        description,
        subject_id,
        effective_at,
        None,  # what is pending has no entries
        reverses or "",
        resolves or "",
        template or "",
    )
    return ListedEntry(entry, heading)


def to_transaction(
    row: DictRow, entries: Iterable[DictRow], pending: Iterable[DictRow] = ()
) -> Transaction:
    """Read a row of `transactions` with those of its entries or pending lines, in order."""
    heading = to_heading(row)
    said = heading.reference, heading.effective_at, heading.subject_id
    return Transaction(
        transaction_id=to_name(row["transaction_id"]),
        heading=heading,
        created_at=row["created_at"],
        entries=tuple(_entry(entry, *said) for entry in entries),
        pending=tuple(map(to_line, pending)),
        hash=bytes(row["hash"]),
    )


def by_transaction(rows: Iterable[DictRow]) -> Mapping[UUID, Sequence[DictRow]]:
    """Group rows by their transaction."""
    groups: dict[UUID, list[DictRow]] = {}
    for row in rows:
        groups.setdefault(row["transaction_id"], []).append(row)
    return groups


def _entry(row: DictRow, reference: str, effective_at: datetime, subject_id: str) -> Entry:
    currency, transaction_id = row["currency"], to_name(row["transaction_id"])
    return Entry(
        transaction_id,
        reference,
        row["line"],
        row["account_id"],
        _side(row),
        Money.of_stored(row["amount"], currency),
        Money.of_stored(row["balance_after"], currency),
        row["account_sequence"],
        chain.written_at(transaction_id),
        effective_at,
        subject_id,
    )


def _side(row: DictRow) -> Side:
    return Side.DEBIT if row["is_debit"] else Side.CREDIT


_nothing = cache(Money.zero)


@cache
def _unused(kind: str, currency: str) -> AccountNow:
    nothing = _nothing(currency)
    return AccountNow(_TYPES[kind], Standing(nothing, nothing, nothing, 0))


def _money(amount: Decimal | None, currency: str) -> Money:
    """Read a balance; most of what is pending is nothing, which may be NULL."""
    return Money.of_stored(amount, currency) if amount else _nothing(currency)
