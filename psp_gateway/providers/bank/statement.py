"""What a bank says of an account, in the same words whichever message it came by."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum


class Kind(StrEnum):
    """Which message it came by."""

    STATEMENT = "camt.053"  # of a day that is over
    REPORT = "camt.052"  # of the day so far
    NOTIFICATION = "camt.054"  # of single entries, without balances


class Direction(StrEnum):
    """Which way the money of the account went, as ISO 20022 spells it."""

    CREDIT = "CRDT"
    DEBIT = "DBIT"


class Status(StrEnum):
    """How far an entry is; only what is booked has changed the balance."""

    BOOKED = "BOOK"
    PENDING = "PDNG"
    FUTURE = "FUTR"
    INFORMATION = "INFO"
    OTHER = "OTHER"  # a code of the bank's own


@dataclass(frozen=True, slots=True)
class Balance:
    """A balance; `amount` is below zero when the account owes."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Line:
    """One transaction: a detail of an entry, or the whole entry when the bank gives none.

    Attributes:
        entry_ref: the bank's own of the entry; empty when it gives none.
        amount: zero or above, at most five decimals. None when the entry is of several
            transactions and the bank does not say how much of it is this one.
        instructed: what was ordered, when the bank repeats it: in another currency, or before
            charges.
        is_reversal: the entry undoes an earlier one. `direction` is still that of this one.
        end_to_end_id: the orderer's; empty for none, and for the bank's word for none.
        return_code: why it came back, an ISO 20022 code such as AC04; empty otherwise.
        bank_transaction_code: "PMNT-ICDT-ESCT", else the bank's own.
        counterparty_name: of the other side; empty when the bank does not say, as the IBAN.
    """

    entry_ref: str
    amount: Decimal | None
    currency: str
    direction: Direction
    is_reversal: bool
    status: Status
    booked_on: date | None
    value_on: date | None
    end_to_end_id: str
    account_servicer_reference: str
    bank_transaction_code: str
    remittance: str = field(repr=False)
    creditor_reference: str
    counterparty_name: str = field(repr=False)
    counterparty_iban: str = field(repr=False)
    return_code: str
    instructed: Balance | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One booking on the account, which may be of many transactions.

    Attributes:
        amount: above zero for a credit, below for a debit.
        lines: at least one.
    """

    amount: Decimal
    currency: str
    status: Status
    lines: tuple[Line, ...]

    @property
    def is_itemised(self) -> bool:
        """Whether the lines sum to the entry; charges and exchange can stand between."""
        signed = [_signed(line) for line in self.lines if line.amount is not None]
        is_whole = len(signed) == len(self.lines)
        is_alike = all(line.currency == self.currency for line in self.lines)
        return is_whole and is_alike and sum(signed, Decimal(0)) == self.amount


@dataclass(frozen=True, slots=True)
class Statement:
    """One account, over the time that the message is about.

    Attributes:
        message_id: of the file, which can hold several statements.
        sequence: the bank's count of its statements of the account; empty when it keeps none.
        account: the IBAN, else the bank's own number.
        currency: of the account; empty when nothing tells.
        opening: booked, before the first entry; None when the bank does not say.
        closing: booked, after the last entry; None when the bank does not say.
        is_whole: not a page of several, whose balances are of all of them.
        is_copy: it has been delivered before.
    """

    kind: Kind
    message_id: str
    statement_id: str
    sequence: str
    account: str
    currency: str
    opening: Balance | None
    closing: Balance | None
    is_whole: bool
    is_copy: bool
    entries: tuple[Entry, ...]

    @property
    def lines(self) -> Iterator[Line]:
        """Go through the transactions of all entries."""
        return (line for entry in self.entries for line in entry.lines)

    @property
    def is_balanced(self) -> bool | None:
        """Whether opening and booked entries make closing; None when that cannot be said."""
        if self.opening is None or self.closing is None or not self.is_whole:
            return None
        booked = [entry for entry in self.entries if entry.status is Status.BOOKED]
        currencies = {self.opening.currency, self.closing.currency}
        currencies |= {entry.currency for entry in booked}
        moved = _total([entry.amount for entry in booked])
        return len(currencies) == 1 and self.opening.amount + moved == self.closing.amount


def _signed(line: Line) -> Decimal:
    amount = line.amount or Decimal(0)
    return amount if line.direction is Direction.CREDIT else -amount


def _total(amounts: Sequence[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))
