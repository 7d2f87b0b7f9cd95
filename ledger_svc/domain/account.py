"""Accounts: where value stands, and what an entry does to it."""

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from chassis import money
from chassis.money import Money
from ledger_svc.domain import errors

_SIGNED = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", re.ASCII)


class Side(StrEnum):
    """Which side of an account an entry is on."""

    DEBIT = "DEBIT"
    CREDIT = "CREDIT"

    @property
    def opposite(self) -> "Side":
        """The other side."""
        return Side.CREDIT if self is Side.DEBIT else Side.DEBIT


class AccountType(StrEnum):
    """What an account means in the books."""

    ASSET = "ASSET"
    LIABILITY = "LIABILITY"
    REVENUE = "REVENUE"
    EXPENSE = "EXPENSE"
    EQUITY = "EQUITY"

    @property
    def normal_side(self) -> Side:
        """The side on which an entry adds to the balance."""
        return Side.DEBIT if self in _DEBIT_NORMAL else Side.CREDIT


_DEBIT_NORMAL = frozenset({AccountType.ASSET, AccountType.EXPENSE})


class AccountStatus(StrEnum):
    """Whether an account takes entries."""

    OPEN = "OPEN"
    FROZEN = "FROZEN"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be opened. `floor` is the lowest balance an entry may leave; None: no floor."""

    account_id: str
    type: AccountType
    currency: str
    floor: Money | None

    @classmethod
    def parse(
        cls, account_id: str, type_: AccountType, currency: str, floor: str | None
    ) -> "NewAccount":
        """Read an account; the floor may be negative, such as "-100.00".

        Raises:
            UnknownCurrency: it is not in ISO 4217.
            InvalidAmount: the floor is no decimal of that currency.
        """
        try:
            money.currency_decimals(currency)
            lowest = None if floor is None else _signed(floor, currency)
        except money.UnknownCurrency as error:
            raise errors.UnknownCurrency(currency) from error
        except money.InvalidAmount as error:
            raise errors.InvalidAmount("floor", str(error)) from error
        return cls(account_id, type_, currency, lowest)


@dataclass(frozen=True, slots=True)
class Account:
    """A place where value stands, in one currency.

    `balance` is in its normal direction; `entry_count` entries have made it.
    """

    account_id: str
    type: AccountType
    status: AccountStatus
    floor: Money | None
    balance: Money
    entry_count: int

    @property
    def currency(self) -> str:
        """ISO 4217."""
        return self.balance.currency

    def require_same(self, asked: NewAccount) -> None:
        """Hold it against an account to be opened under its id.

        Raises:
            AccountDiffers: naming what differs.
        """
        pairs = {
            "type": (self.type, asked.type),
            "currency": (self.currency, asked.currency),
            "floor": (self.floor, asked.floor),
        }
        differs = [name for name, (mine, theirs) in pairs.items() if mine != theirs]
        if differs:
            raise errors.AccountDiffers(self.account_id, differs)

    def book(self, side: Side, amount: Money, *, field: str) -> "Account":
        """Make the account as it is after one more entry.

        Args:
            side: of the entry.
            amount: above zero.
            field: the entry's place in the request, for the refusal.

        Raises:
            AccountFrozen, AccountClosed: it takes no entries.
            CurrencyMismatch: the amount is in another currency.
            FloorPassed: too little would be left.
            InvalidAmount: the balance would pass what the books can hold.
        """
        self._require_open()
        if amount.currency != self.currency:
            raise errors.CurrencyMismatch(
                self.account_id, account_currency=self.currency, entry_currency=amount.currency
            )
        grows = side is self.type.normal_side
        try:
            balance = self.balance + amount if grows else self.balance - amount
        except money.InvalidAmount as error:
            raise errors.InvalidAmount(field, f"the balance: {error}") from error
        if not grows and self.floor is not None and balance.amount < self.floor.amount:
            raise errors.FloorPassed(self.account_id, balance=self.balance, floor=self.floor)
        return replace(self, balance=balance, entry_count=self.entry_count + 1)

    def _require_open(self) -> None:
        if self.status is AccountStatus.FROZEN:
            raise errors.AccountFrozen(self.account_id)
        if self.status is AccountStatus.CLOSED:
            raise errors.AccountClosed(self.account_id)


def _signed(text: str, currency: str) -> Money:
    if not _SIGNED.fullmatch(text):
        raise money.InvalidAmount('a decimal string such as "-99.99" is expected')
    return Money(Decimal(text), currency)
