"""Rows of the wallets' tables to the domain's objects, and back."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from psycopg.rows import DictRow

from chassis.money import Money
from wallet_svc.domain.operation import Kind, Operation
from wallet_svc.domain.wallet import Change, Wallet, WalletStatus
from wallet_svc.domain.wallets import Pot, Wallets


def to_wallet(row: DictRow) -> Wallet:
    """Read a row of `wallets`."""
    return Wallet(
        wallet_id=row["wallet_id"],
        client_id=row["client_id"],
        owner=row["owner"],
        status=WalletStatus(row["status"]),
        pending=_money(row, "pending"),
        available=_money(row, "available"),
        held=_money(row, "held"),
        operation_count=row["operation_count"],
    )


def to_operation(row: DictRow) -> Operation:
    """Read a row of `operations`."""
    return Operation(
        operation_id=row["operation_id"],
        wallet_id=row["wallet_id"],
        kind=Kind(row["kind"]),
        amount=_money(row, "amount"),
        subject_id=row["subject_id"],
        change=Change(_money(row, "pending_change"), _money(row, "available_change")),
        pending_after=_money(row, "pending_after"),
        available_after=_money(row, "available_after"),
        held_after=_money(row, "held_after"),
        wallet_sequence=row["wallet_sequence"],
        created_at=row["created_at"],
        reverses=row["reverses"],
    )


def to_pending(rows: Sequence[DictRow]) -> dict[Pot, Decimal]:
    """Read what each pot has left in pending."""
    return {Pot(row["wallet_id"], row["subject_id"]): row["pending"] for row in rows}


def _money(row: DictRow, column: str) -> Money:
    return Money.of_stored(row[column], row["currency"])


def claim_rows(wallets: Wallets) -> list[tuple[Any, ...]]:
    """Write the claims of what was decided, in the order in which every batch takes them."""
    claims = [(operation.operation_id, False, wallets.now) for operation in wallets.applied]
    claims += [(operation_id, True, wallets.now) for operation_id in wallets.closings]
    return sorted(claims)


def operation_rows(operations: Sequence[Operation]) -> list[tuple[Any, ...]]:
    """Write rows of `operations`."""
    return [
        (
            o.operation_id,
            o.wallet_id,
            o.kind.value,
            o.amount.amount,
            o.amount.currency,
            o.subject_id,
            o.change.pending.amount,
            o.change.available.amount,
            o.pending_after.amount,
            o.available_after.amount,
            o.held_after.amount,
            o.wallet_sequence,
            o.created_at,
            o.reverses,
        )
        for o in operations
    ]
