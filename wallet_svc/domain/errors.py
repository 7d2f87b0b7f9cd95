"""Every way in which the wallets say no: one class per reason of `WalletError.Reason`.

A refusal is the answer to one item of a batch; raised through an RPC it becomes an error with the
same reason. What the ledger has too is in `bookkeeping.refusals`.
"""

from collections.abc import Sequence
from datetime import datetime

from bookkeeping.refusals import InvalidAmount as InvalidAmount
from bookkeeping.refusals import Refusal as Refusal
from bookkeeping.refusals import UnknownCurrency as UnknownCurrency
from chassis.errors import NotFound
from chassis.money import Money


class WalletNotFound(Refusal, NotFound):
    """No such wallet; open it first."""

    reason = "WALLET_NOT_FOUND"

    def __init__(self, wallet_id: str) -> None:
        super().__init__(f"No wallet {wallet_id}; open it first.", walletId=wallet_id)


class WalletFrozen(Refusal):
    """The wallet takes nothing new for now."""

    reason = "WALLET_FROZEN"

    def __init__(self, wallet_id: str) -> None:
        super().__init__(f"Wallet {wallet_id} is frozen.", walletId=wallet_id)


class WalletClosed(Refusal):
    """The wallet takes nothing new ever again."""

    reason = "WALLET_CLOSED"

    def __init__(self, wallet_id: str) -> None:
        super().__init__(f"Wallet {wallet_id} is closed.", walletId=wallet_id)


class WalletDiffers(Refusal):
    """The wallet is there with another client, owner, currency, account type or credit limit."""

    reason = "WALLET_DIFFERS"

    def __init__(self, wallet_id: str, differs: Sequence[str]) -> None:
        named = ",".join(differs)
        super().__init__(
            f"Wallet {wallet_id} is there with another {named}.", walletId=wallet_id, differs=named
        )


class CurrencyMismatch(Refusal):
    """The operation's currency is not the wallet's."""

    reason = "CURRENCY_MISMATCH"

    def __init__(self, wallet_id: str, *, wallet_currency: str, operation_currency: str) -> None:
        super().__init__(
            f"Wallet {wallet_id} is in {wallet_currency}, the operation in {operation_currency}.",
            walletId=wallet_id,
            walletCurrency=wallet_currency,
            operationCurrency=operation_currency,
        )


class InsufficientFunds(Refusal):
    """More would be taken from a balance than it holds; `balance` is pending or available."""

    reason = "INSUFFICIENT_FUNDS"

    def __init__(
        self, wallet_id: str, *, balance: str, holds: Money, credit_limit: Money | None = None
    ) -> None:
        facts = {balance: holds}
        if credit_limit is not None:
            facts["creditLimit"] = credit_limit
        super().__init__(
            f"Wallet {wallet_id} has only {holds} {balance}.", walletId=wallet_id, **facts
        )


class WalletNotEmpty(Refusal):
    """Only an empty wallet can be closed."""

    reason = "WALLET_NOT_EMPTY"

    def __init__(self, wallet_id: str, *, pending: Money, available: Money, held: Money) -> None:
        super().__init__(
            f"Wallet {wallet_id} has {pending} pending, {available} available, {held} held.",
            walletId=wallet_id,
            pending=pending,
            available=available,
            held=held,
        )


class VersionConflict(Refusal):
    """The wallet has changed since the caller looked at it."""

    reason = "VERSION_CONFLICT"

    def __init__(self, wallet_id: str, *, expected: int, actual: int) -> None:
        super().__init__(
            f"Wallet {wallet_id} has version {actual}, not {expected}.",
            walletId=wallet_id,
            expected=expected,
            actual=actual,
        )


class LinkedRefused(Refusal):
    """An operation that it is linked with was refused, so it was not applied either."""

    reason = "LINKED_REFUSED"

    def __init__(self, operation_id: str) -> None:
        super().__init__(f"Refused with operation {operation_id}.", operationId=operation_id)


class HoldNotFound(Refusal, NotFound):
    """The wallet has no such hold."""

    reason = "HOLD_NOT_FOUND"

    def __init__(self, hold_id: str) -> None:
        super().__init__(f"No hold {hold_id} there.", holdId=hold_id)


class HoldResolved(Refusal):
    """The hold has ended: nothing of it is set aside any more."""

    reason = "HOLD_RESOLVED"

    def __init__(self, hold_id: str, status: str) -> None:
        super().__init__(f"Hold {hold_id} is {status}.", holdId=hold_id, status=status)


class HoldExpired(Refusal):
    """The hold had its time: nothing is captured of it any more."""

    reason = "HOLD_EXPIRED"

    def __init__(self, hold_id: str, expires_at: datetime | None) -> None:
        super().__init__(f"Hold {hold_id} expires at {expires_at}.", holdId=hold_id)


class HoldNotDue(Refusal):
    """The hold has not had its time."""

    reason = "HOLD_NOT_DUE"

    def __init__(self, hold_id: str) -> None:
        super().__init__(f"Hold {hold_id} has not had its time.", holdId=hold_id)


class HoldExceeded(Refusal):
    """More would be captured than the hold has open."""

    reason = "HOLD_EXCEEDED"

    def __init__(self, hold_id: str, open_: Money) -> None:
        super().__init__(f"Hold {hold_id} has only {open_} open.", holdId=hold_id, open=open_)


class OperationReused(Refusal):
    """The operation id was applied with other content."""

    reason = "OPERATION_REUSED"

    def __init__(self, operation_id: str, differs: Sequence[str]) -> None:
        named = ",".join(differs)
        super().__init__(
            f"Operation {operation_id} was applied with another {named}.",
            operationId=operation_id,
            differs=named,
        )


class ReversedBeforeArrival(Refusal):
    """The operation was reversed before it arrived, and its id is closed for ever."""

    reason = "REVERSED_BEFORE_ARRIVAL"

    def __init__(self, operation_id: str) -> None:
        super().__init__(
            f"Operation {operation_id} was reversed already.", operationId=operation_id
        )


class NotReversible(Refusal):
    """Only a CREDIT can be reversed."""

    reason = "NOT_REVERSIBLE"

    def __init__(self, operation_id: str, kind: str) -> None:
        super().__init__(
            f"Operation {operation_id} is a {kind}; only a CREDIT can be reversed.",
            operationId=operation_id,
            kind=kind,
        )


class LedgerNotConfigured(Refusal):
    """Nobody has told this service where the ledger is."""

    reason = "LEDGER_NOT_CONFIGURED"

    def __init__(self) -> None:
        super().__init__("This service was not told where the ledger is: set LEDGER_TARGET.")
