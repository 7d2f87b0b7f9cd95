"""A wallet: what one party may spend in one currency, and what an operation does to it."""

from dataclasses import dataclass, replace
from enum import StrEnum

from chassis import money
from chassis.money import Money
from wallet_svc.domain import errors


class WalletStatus(StrEnum):
    """Whether a wallet takes operations."""

    OPEN = "OPEN"
    FROZEN = "FROZEN"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class NewWallet:
    """A wallet to be opened."""

    wallet_id: str
    client_id: str
    owner: str
    currency: str

    @classmethod
    def parse(cls, wallet_id: str, *, client_id: str, owner: str, currency: str) -> "NewWallet":
        """Read a wallet.

        Raises:
            UnknownCurrency: it is not in ISO 4217.
        """
        try:
            money.currency_decimals(currency)
        except money.UnknownCurrency as error:
            raise errors.UnknownCurrency(currency) from error
        return cls(wallet_id, client_id, owner, currency)


@dataclass(frozen=True, slots=True)
class Change:
    """What an operation adds to the balances; below zero takes away."""

    pending: Money
    available: Money


@dataclass(frozen=True, slots=True)
class Wallet:
    """What one party may spend; no balance is ever below zero.

    `pending` is credited and not yet to be spent, `available` is to be spent, `held` is set aside
    for something under way; `operation_count` operations have made them.
    """

    wallet_id: str
    client_id: str
    owner: str
    status: WalletStatus
    pending: Money
    available: Money
    held: Money
    operation_count: int

    @property
    def currency(self) -> str:
        """ISO 4217."""
        return self.pending.currency

    def require_same(self, asked: NewWallet) -> None:
        """Hold it against a wallet to be opened under its id.

        Raises:
            WalletDiffers: naming what differs.
        """
        pairs = {
            "clientId": (self.client_id, asked.client_id),
            "owner": (self.owner, asked.owner),
            "currency": (self.currency, asked.currency),
        }
        differs = [name for name, (mine, theirs) in pairs.items() if mine != theirs]
        if differs:
            raise errors.WalletDiffers(self.wallet_id, differs)

    def require_takes(self, currency: str) -> None:
        """Make sure that operations of a currency are taken.

        Raises:
            WalletFrozen, WalletClosed: none are.
            CurrencyMismatch: those of another currency are.
        """
        if self.status is WalletStatus.FROZEN:
            raise errors.WalletFrozen(self.wallet_id)
        if self.status is WalletStatus.CLOSED:
            raise errors.WalletClosed(self.wallet_id)
        if currency != self.currency:
            raise errors.CurrencyMismatch(
                self.wallet_id, wallet_currency=self.currency, operation_currency=currency
            )

    def changed(self, change: Change) -> "Wallet":
        """Make the wallet as it is after one more operation.

        Raises:
            InsufficientFunds: a balance would fall below zero.
            InvalidAmount: a balance would pass what a wallet can hold.
        """
        return replace(
            self,
            pending=self._sum("pending", self.pending, change.pending),
            available=self._sum("available", self.available, change.available),
            operation_count=self.operation_count + 1,
        )

    def _sum(self, name: str, balance: Money, change: Money) -> Money:
        try:
            result = balance + change
        except money.InvalidAmount as error:
            raise errors.InvalidAmount("amount", f"the {name} balance: {error}") from error
        if result.amount < 0:
            raise errors.InsufficientFunds(self.wallet_id, balance=name, holds=balance)
        return result
