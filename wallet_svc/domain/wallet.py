"""A wallet: what one party may spend in one currency."""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from bookkeeping.refusals import require_currency
from chassis import money
from chassis.money import Money
from wallet_svc.domain import errors

_NOTHING = re.compile(r"0(\.0+)?", re.ASCII)
_TOO_MUCH = Decimal(10**15)  # what the database keeps has 15 digits before the point


class WalletStatus(StrEnum):
    """Whether a wallet takes operations; `takes` says which a frozen or closed one takes."""

    OPEN = "OPEN"
    FROZEN = "FROZEN"
    CLOSED = "CLOSED"


class AccountType(StrEnum):
    """Whose money it is."""

    BUYER = "BUYER"
    SELLER = "SELLER"
    PLATFORM = "PLATFORM"


@dataclass(frozen=True, slots=True)
class NewWallet:
    """A wallet to be opened; without a `credit_limit` it gets none, or keeps the one it has."""

    wallet_id: str
    client_id: str
    owner: str
    currency: str
    account_type: AccountType = AccountType.SELLER
    credit_limit: Decimal | None = None

    @classmethod
    def parse(
        cls,
        wallet_id: str,
        *,
        client_id: str,
        owner: str,
        currency: str,
        account_type: AccountType = AccountType.SELLER,
        credit_limit: str | None = None,
    ) -> "NewWallet":
        """Read a wallet; the credit limit is a decimal of at least zero.

        Raises:
            UnknownCurrency: it is not in ISO 4217.
            InvalidAmount: the credit limit is no such decimal.
        """
        require_currency(currency)
        limit = None if credit_limit is None else parse_credit_limit(credit_limit, currency)
        return cls(wallet_id, client_id, owner, currency, account_type, limit)


def parse_credit_limit(text: str, currency: str) -> Decimal:
    """Read a decimal of at least zero.

    Raises:
        InvalidAmount: it is none, or has too many decimals.
    """
    try:
        if _NOTHING.fullmatch(text):
            return Money(Decimal(text), currency).amount
        return Money.parse(text, currency).amount
    except money.InvalidAmount as error:
        raise errors.InvalidAmount("credit_limit", str(error)) from error


class Change(NamedTuple):
    """What an operation adds to the balances, in the wallet's currency; below zero takes away."""

    pending: Decimal
    available: Decimal
    held: Decimal


class Standing(NamedTuple):
    """What has become of a wallet: the part that operations change.

    `pending` is credited and not yet to be spent, `available` is to be spent, `held` is set aside
    for something under way: decimals in the wallet's currency. Only `available` may be below zero.
    `operation_count` operations have made them; `version` grows with every change of the wallet. A
    tuple, since a batch makes thousands.
    """

    pending: Decimal
    available: Decimal
    held: Decimal
    operation_count: int
    version: int

    def after(self, change: Change) -> "Standing":
        """Make the standing after one more operation.

        Raises:
            InvalidAmount: a balance would pass what a wallet can hold.
        """
        pending = self.pending + change.pending
        available = self.available + change.available
        held = self.held + change.held
        if not (pending < _TOO_MUCH and -_TOO_MUCH < available < _TOO_MUCH and held < _TOO_MUCH):
            raise errors.InvalidAmount("amount", "a balance holds at most 15 digits")
        return Standing(pending, available, held, self.operation_count + 1, self.version + 1)


class Wallet(NamedTuple):
    """What one party may spend. `available` may fall to `-credit_limit` by what is asked for, and
    below by what is taken back. A tuple, since a batch reads a thousand.
    """

    wallet_id: str
    client_id: str
    owner: str
    currency: str
    account_type: AccountType
    status: WalletStatus
    credit_limit: Decimal
    standing: Standing

    def money(self, amount: Decimal) -> Money:
        """Tell an amount with the wallet's currency."""
        return Money.of_stored(amount, self.currency)

    def require_same(self, asked: NewWallet) -> None:
        """Hold it against a wallet to be opened under its id.

        Raises:
            WalletDiffers: naming what differs.
        """
        limit = self.credit_limit if asked.credit_limit is None else asked.credit_limit
        pairs = {
            "clientId": (self.client_id, asked.client_id),
            "owner": (self.owner, asked.owner),
            "currency": (self.currency, asked.currency),
            "accountType": (self.account_type, asked.account_type),
            "creditLimit": (self.credit_limit, limit),
        }
        differs = [name for name, (mine, theirs) in pairs.items() if mine != theirs]
        if differs:
            raise errors.WalletDiffers(self.wallet_id, differs)

    def with_status(self, to: WalletStatus) -> "Wallet":
        """Make the wallet with another status; with its own, the wallet as it is.

        Raises:
            WalletClosed: it is closed, and stays so.
            WalletNotEmpty: it is to be closed while it holds or owes something.
        """
        if to is self.status:
            return self
        if self.status is WalletStatus.CLOSED:
            raise errors.WalletClosed(self.wallet_id)
        if to is WalletStatus.CLOSED and any(self.standing[:3]):
            pending, available, held = map(self.money, self.standing[:3])
            raise errors.WalletNotEmpty(
                self.wallet_id, pending=pending, available=available, held=held
            )
        return self._changed(status=to)

    def with_credit_limit(self, limit: Decimal) -> "Wallet":
        """Make the wallet with another credit limit; with its own, the wallet as it is.

        A limit below what is owed already forbids to owe more, nothing else.

        Raises:
            WalletClosed: it is closed.
        """
        if limit == self.credit_limit:
            return self
        if self.status is WalletStatus.CLOSED:
            raise errors.WalletClosed(self.wallet_id)
        return self._changed(credit_limit=limit)

    def _changed(
        self, *, status: WalletStatus | None = None, credit_limit: Decimal | None = None
    ) -> "Wallet":
        standing = self.standing
        return self._replace(
            status=self.status if status is None else status,
            credit_limit=self.credit_limit if credit_limit is None else credit_limit,
            standing=standing._replace(version=standing.version + 1),
        )


class Changed(StrEnum):
    """What of a wallet was changed."""

    STATUS = "STATUS"
    CREDIT_LIMIT = "CREDIT_LIMIT"


@dataclass(frozen=True, slots=True)
class WalletChange:
    """That a wallet was frozen, unfrozen, closed or given a limit, by whom and why. Never changed.

    `version` is the wallet's after it; `before` and `after` are statuses, or amounts.
    """

    wallet_id: str
    version: int
    what: Changed
    before: str
    after: str
    reason: str
    actor: str
    changed_at: datetime
