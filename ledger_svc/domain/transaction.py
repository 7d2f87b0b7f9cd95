"""Postings, which ask, and transactions, which are written and never change."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from chassis import money
from chassis.money import Money
from ledger_svc.domain import errors
from ledger_svc.domain.account import Side

REVERSAL_SUFFIX = ":reversal"


def reversal_reference(reference: str) -> str:
    """Name the transaction that reverses `reference`."""
    return reference + REVERSAL_SUFFIX


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a posting; its amount is above zero."""

    account_id: str
    side: Side
    amount: Money

    @classmethod
    def parse(
        cls, account_id: str, side: Side, *, amount: str, currency: str, field: str
    ) -> "Line":
        """Read a line; `field` is the path of its amount in the request.

        Raises:
            InvalidAmount: the amount is no decimal above zero, or has too many decimals.
            UnknownCurrency: it is not in ISO 4217.
        """
        try:
            return cls(account_id, side, Money.parse(amount, currency))
        except money.InvalidAmount as error:
            raise errors.InvalidAmount(field, str(error)) from error
        except money.UnknownCurrency as error:
            raise errors.UnknownCurrency(currency) from error


@dataclass(frozen=True, slots=True)
class Posting:
    """A transaction to be posted; its debits equal its credits in each currency.

    `effective_at` None means when it is written.

    Raises:
        Unbalanced: they differ.
    """

    reference: str
    lines: tuple[Line, ...]
    description: str = ""
    subject_id: str = ""
    effective_at: datetime | None = None
    reverses_reference: str = ""

    def __post_init__(self) -> None:
        debits, credits_ = _sums(self.lines, Side.DEBIT), _sums(self.lines, Side.CREDIT)
        for currency in sorted(debits.keys() | credits_.keys()):
            debit, credit = debits.get(currency, Decimal(0)), credits_.get(currency, Decimal(0))
            if debit != credit:
                raise errors.Unbalanced(currency, debits=f"{debit:f}", credits_=f"{credit:f}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a transaction, with what it left on the account. Never changed.

    `line` is its place in the transaction, `account_sequence` that in the account's history; both
    count from 1, without gaps.
    """

    transaction_id: str
    reference: str
    line: int
    account_id: str
    side: Side
    amount: Money
    balance_after: Money
    account_sequence: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Transaction:
    """Entries that were posted together. Never changed."""

    transaction_id: str
    reference: str
    description: str
    subject_id: str
    effective_at: datetime
    created_at: datetime
    reverses_reference: str
    entries: tuple[Entry, ...]

    def require_same(self, posting: Posting) -> None:
        """Hold it against a posting under its reference; the order of the lines does not matter.

        Raises:
            ReferenceReused: naming what differs.
        """
        mine = [Line(e.account_id, e.side, e.amount) for e in self.entries]
        differs = _differing(mine, posting.lines)
        # A reversal is more than its entries; a plain posting is not, so it may replay one.
        if posting.reverses_reference not in ("", self.reverses_reference):
            differs.append("reversesReference")
        if differs:
            raise errors.ReferenceReused(self.reference, differs)

    def reversal(self, reason: str) -> Posting:
        """Make the posting that takes this transaction back: each line with its side exchanged."""
        return Posting(
            reference=reversal_reference(self.reference),
            lines=tuple(Line(e.account_id, e.side.opposite, e.amount) for e in self.entries),
            description=reason,
            subject_id=self.subject_id,
            reverses_reference=self.reference,
        )


def _sums(lines: Iterable[Line], side: Side) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for line in lines:
        if line.side is side:
            currency = line.amount.currency
            sums[currency] = sums.get(currency, Decimal(0)) + line.amount.amount
    return sums


def _differing(first: Sequence[Line], second: Sequence[Line]) -> list[str]:
    """Name what two sets of lines do not share; `entries` when only the pairing differs."""
    mine, theirs = sorted(map(_facts, first)), sorted(map(_facts, second))
    if mine == theirs:
        return []
    names = ("accounts", "sides", "amounts", "currencies")
    return [
        name
        for place, name in enumerate(names)
        if sorted(facts[place] for facts in mine) != sorted(facts[place] for facts in theirs)
    ] or ["entries"]


def _facts(line: Line) -> tuple[str, Side, Decimal, str]:
    return line.account_id, line.side, line.amount.amount, line.amount.currency
