"""Accounts: where value stands, and what an entry does to it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from bookkeeping.refusals import require_currency
from chassis import money
from chassis.money import Money
from ledger_svc.domain import errors
from ledger_svc.domain.records import record

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
        return _NORMAL_SIDES[self]


_NORMAL_SIDES = {
    AccountType.ASSET: Side.DEBIT,
    AccountType.EXPENSE: Side.DEBIT,
    AccountType.LIABILITY: Side.CREDIT,
    AccountType.REVENUE: Side.CREDIT,
    AccountType.EQUITY: Side.CREDIT,
}


class AccountStatus(StrEnum):
    """Whether an account takes entries; a frozen one takes those that end what had begun."""

    OPEN = "OPEN"
    FROZEN = "FROZEN"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be opened.

    `floor` and `ceiling` are the lowest and the highest balance that an entry may leave, None for
    no bound; zero lies between them, since that is what a new account has.
    """

    account_id: str
    type: AccountType
    currency: str
    floor: Money | None = None
    ceiling: Money | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(
        cls,
        account_id: str,
        type_: AccountType,
        currency: str,
        *,
        floor: str | None = None,
        ceiling: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> "NewAccount":
        """Read an account; bounds are decimals such as "-100.00".

        Raises:
            UnknownCurrency: it is not in ISO 4217.
            InvalidAmount: a bound is no decimal of that currency, or zero is out of bounds.
        """
        require_currency(currency)
        lowest, highest = _bound("floor", floor, currency), _bound("ceiling", ceiling, currency)
        if lowest is not None and lowest.amount > 0:
            raise errors.InvalidAmount("floor", "a new account has zero, so it must not be above")
        if highest is not None and highest.amount < 0:
            raise errors.InvalidAmount("ceiling", "a new account has zero, so it must not be below")
        return cls(account_id, type_, currency, lowest, highest, metadata or {})


class Standing(NamedTuple):
    """What entries have made of an account: the part that a batch changes.

    `balance` is in the account's normal direction; `pending_in` and `pending_out` are what pending
    transactions would add and take. A tuple, since a batch makes thousands.
    """

    balance: Money
    pending_in: Money
    pending_out: Money
    entry_count: int


@record(frozen=True, slots=True)
class Account:
    """A place where value stands, in one currency.

    `key` is what the entries call it; `last_entry_at` is when it had its newest one.
    """

    account_id: str
    key: int
    type: AccountType
    currency: str
    status: AccountStatus
    floor: Money | None
    ceiling: Money | None
    standing: Standing
    last_entry_at: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)
    created_at: datetime | None = None

    @property
    def balance(self) -> Money:
        """In its normal direction."""
        return self.standing.balance

    @property
    def is_empty(self) -> bool:
        """Whether nothing stands on it and nothing is pending."""
        now = self.standing
        return not (now.balance.amount or now.pending_in.amount or now.pending_out.amount)

    def require_same(self, asked: NewAccount) -> None:
        """Hold it against an account to be opened under its id.

        Raises:
            AccountDiffers: naming what differs.
        """
        pairs = {
            "type": (self.type, asked.type),
            "currency": (self.currency, asked.currency),
            "floor": (self.floor, asked.floor),
            "ceiling": (self.ceiling, asked.ceiling),
        }
        differs = [name for name, (mine, theirs) in pairs.items() if mine != theirs]
        if differs:
            raise errors.AccountDiffers(self.account_id, differs)

    def require_takes(self, *, is_ending: bool) -> None:
        """Make sure that an entry is taken; `is_ending` ones reverse or resolve what had begun.

        Raises:
            AccountFrozen, AccountClosed: it is not.
        """
        if self.status is AccountStatus.CLOSED:
            raise errors.AccountClosed(self.account_id)
        if self.status is AccountStatus.FROZEN and not is_ending:
            raise errors.AccountFrozen(self.account_id)

    def with_status(self, to: AccountStatus) -> "Account":
        """Make the account as it is after its status was changed; to what it is already, no change.

        Raises:
            AccountClosed: it is closed, and stays so.
            AccountNotEmpty: it is to be closed while something stands on it or is pending.
        """
        if self.status is to:
            return self
        if self.status is AccountStatus.CLOSED:
            raise errors.AccountClosed(self.account_id)
        if to is AccountStatus.CLOSED and not self.is_empty:
            now = self.standing
            raise errors.AccountNotEmpty(
                self.account_id,
                balance=now.balance,
                pending_in=now.pending_in,
                pending_out=now.pending_out,
            )
        return replace(self, status=to)

    def book(self, now: Standing, side: Side, amount: Money, *, place: int) -> Standing:
        """Make the standing after one more entry.

        Args:
            now: the standing before.
            side: of the entry.
            amount: above zero.
            place: the entry's in the request, from 0, for the refusal.

        Raises:
            CurrencyMismatch: the amount is in another currency.
            FloorPassed, CeilingPassed: the bound that what is pending leaves would be passed.
            InvalidAmount: the balance would pass what the books can hold.
        """
        if amount.currency != self.currency:
            self._require_currency(amount)
        before, pending_in, pending_out, entry_count = now
        try:
            balance = before + amount if side is _NORMAL_SIDES[self.type] else before - amount
        except money.InvalidAmount as error:
            raise errors.InvalidAmount(_path(place), f"the balance: {error}") from error
        after = _tuple(Standing, (balance, pending_in, pending_out, entry_count + 1))
        if self.floor is not None or self.ceiling is not None:
            self._require_bounds(now, after)
        return after

    def reserve(self, now: Standing, side: Side, amount: Money, *, place: int) -> Standing:
        """Make the standing after one more pending line.

        Raises:
            CurrencyMismatch, FloorPassed, CeilingPassed, InvalidAmount: as `book`.
        """
        self._require_currency(amount)
        try:
            after = self._pending(now, side, amount)
        except money.InvalidAmount as error:
            raise errors.InvalidAmount(_path(place), f"what is pending: {error}") from error
        self._require_bounds(now, after)
        return after

    def release(self, now: Standing, side: Side, amount: Money) -> Standing:
        """Make the standing after a pending line has ended."""
        return self._pending(now, side, -amount)

    def _pending(self, now: Standing, side: Side, amount: Money) -> Standing:
        if side is self.type.normal_side:
            return now._replace(pending_in=now.pending_in + amount)
        return now._replace(pending_out=now.pending_out + amount)

    def _require_currency(self, amount: Money) -> None:
        if amount.currency != self.currency:
            raise errors.CurrencyMismatch(
                self.account_id, account_currency=self.currency, entry_currency=amount.currency
            )

    def _require_bounds(self, before: Standing, after: Standing) -> None:
        """Hold a standing to the bounds, as if what is pending had happened where that is worse:
        decimals, since the two together may pass what a balance can be.
        """
        if self.floor is not None:
            left = after.balance.amount - after.pending_out.amount
            if left < self.floor.amount:
                raise errors.FloorPassed(
                    self.account_id, balance=before.balance - before.pending_out, floor=self.floor
                )
        if self.ceiling is not None:
            reached = after.balance.amount + after.pending_in.amount
            if reached > self.ceiling.amount:
                raise errors.CeilingPassed(
                    self.account_id,
                    balance=before.balance + before.pending_in,
                    ceiling=self.ceiling,
                )


def _path(place: int) -> str:
    return f"entries[{place}].amount"


# Half the price of calling a named tuple's class.
_tuple = tuple.__new__


def _bound(name: str, text: str | None, currency: str) -> Money | None:
    if text is None:
        return None
    if not _SIGNED.fullmatch(text):
        raise errors.InvalidAmount(name, 'a decimal string such as "-99.99" is expected')
    try:
        return Money(Decimal(text), currency)
    except money.InvalidAmount as error:
        raise errors.InvalidAmount(name, str(error)) from error


@dataclass(frozen=True, slots=True)
class AccountChange:
    """That an account's status was changed, by whom and why. Never changed itself.

    `number` counts an account's changes from 1.
    """

    account_id: str
    number: int
    from_status: AccountStatus
    to_status: AccountStatus
    reason: str
    actor: str
    changed_at: datetime
