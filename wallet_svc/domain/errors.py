"""Every way in which the wallets say no: one class per reason of `WalletError.Reason`.

A refusal is the answer to one item of a batch; raised through an RPC it becomes an error with the
same reason.
"""

from collections.abc import Sequence

from chassis.errors import FailedPrecondition, NotFound
from chassis.money import Money


class Refusal(FailedPrecondition):
    """Why an item was not done. It changed nothing."""


class WalletNotFound(Refusal, NotFound):
    """No such wallet; open it first."""

    reason = "WALLET_NOT_FOUND"

    def __init__(self, wallet_id: str) -> None:
        super().__init__(f"No wallet {wallet_id}; open it first.", walletId=wallet_id)


class WalletFrozen(Refusal):
    """The wallet takes no operations for now."""

    reason = "WALLET_FROZEN"

    def __init__(self, wallet_id: str) -> None:
        super().__init__(f"Wallet {wallet_id} is frozen.", walletId=wallet_id)


class WalletClosed(Refusal):
    """The wallet takes no operations ever again."""

    reason = "WALLET_CLOSED"

    def __init__(self, wallet_id: str) -> None:
        super().__init__(f"Wallet {wallet_id} is closed.", walletId=wallet_id)


class WalletDiffers(Refusal):
    """The wallet is there with another client, owner or currency."""

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

    def __init__(self, wallet_id: str, *, balance: str, holds: Money) -> None:
        super().__init__(
            f"Wallet {wallet_id} has only {holds} {balance}.",
            walletId=wallet_id,
            **{balance: holds},
        )


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


class InvalidAmount(Refusal):
    """The amount is no decimal above zero, has too many decimals, or is too large for a wallet."""

    reason = "INVALID_AMOUNT"

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}.", field=field)


class UnknownCurrency(Refusal):
    """The currency is not in ISO 4217."""

    reason = "UNKNOWN_CURRENCY"

    def __init__(self, currency: str) -> None:
        super().__init__(f"{currency} is no currency of ISO 4217.", currency=currency)
