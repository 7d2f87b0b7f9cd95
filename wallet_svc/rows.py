"""Rows of the wallets' tables to the domain's objects."""

from collections.abc import Iterable
from decimal import Decimal

from psycopg.rows import DictRow

from wallet_svc.domain.hold import Hold, HoldStatus
from wallet_svc.domain.operation import Kind, Operation
from wallet_svc.domain.wallet import (
    AccountType,
    Change,
    Changed,
    Standing,
    Wallet,
    WalletChange,
    WalletStatus,
)
from wallet_svc.domain.wallets import Pot

_NOTHING = Decimal(0)
_STATUSES = {status.value: status for status in WalletStatus}
_TYPES = {kind.value: kind for kind in AccountType}
_KINDS = {kind.value: kind for kind in Kind}


def to_wallet(row: DictRow) -> Wallet:
    """Read a row of `wallets`; a balance that is nothing may be NULL."""
    return Wallet(
        row["wallet_id"],
        row["client_id"],
        row["owner"],
        row["currency"],
        _TYPES[row["account_type"]],
        _STATUSES[row["status"]],
        row["credit_limit"] or _NOTHING,
        Standing(
            row["pending"] or _NOTHING,
            row["available"] or _NOTHING,
            row["held"] or _NOTHING,
            row["operation_count"],
            row["version"],
        ),
    )


def to_operation(row: DictRow) -> Operation:
    """Read a row of `operations`."""
    return Operation(
        operation_id=row["operation_id"],
        wallet_id=row["wallet_id"],
        kind=_KINDS[row["kind"]],
        amount=row["amount"],
        currency=row["currency"],
        subject_id=row["subject_id"],
        refers_to=row["refers_to"],
        releases_rest=row["releases_rest"],
        change=Change(row["pending_change"], row["available_change"], row["held_change"]),
        after=Standing(
            row["pending_after"],
            row["available_after"],
            row["held_after"],
            row["wallet_sequence"],
            row["wallet_version"],
        ),
        created_at=row["created_at"],
    )


def to_hold(row: DictRow) -> Hold:
    """Read a row of `holds`."""
    return Hold(
        hold_id=row["hold_id"],
        wallet_id=row["wallet_id"],
        subject_id=row["subject_id"],
        currency=row["currency"],
        amount=row["amount"],
        open=row["open_amount"],
        captured=row["captured_amount"],
        released=row["released_amount"],
        status=HoldStatus(row["status"]),
        expires_at=row["expires_at"],
        created_at=row["created_at"],
    )


def to_change(row: DictRow) -> WalletChange:
    """Read a row of `wallet_changes`."""
    return WalletChange(
        wallet_id=row["wallet_id"],
        version=row["version"],
        what=Changed(row["what"]),
        before=row["before"],
        after=row["after"],
        reason=row["reason"],
        actor=row["actor"],
        changed_at=row["changed_at"],
    )


def to_pending(found: Iterable[DictRow]) -> dict[Pot, Decimal]:
    """Read what each pot has left in pending."""
    return {Pot(row["wallet_id"], row["subject_id"]): row["pending"] for row in found}
