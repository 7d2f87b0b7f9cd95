"""What the ledger is asked for: postings, resolutions, reversals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from chassis import money
from chassis.money import Money
from ledger_svc.domain import errors
from ledger_svc.domain.account import Side
from ledger_svc.domain.records import record


class Line(NamedTuple):
    """One line of a posting; its amount is above zero. A tuple: a batch makes thousands."""

    account_id: str
    side: Side
    amount: Money

    @staticmethod
    def parse_amount(amount: str, currency: str, *, place: int) -> Money:
        """Read a line's amount; `place` is the line's in the request, from 0.

        Raises:
            InvalidAmount: the amount is no decimal above zero, or has too many decimals.
            UnknownCurrency: it is not in ISO 4217.
        """
        try:
            return Money.parse(amount, currency)
        except money.InvalidAmount as error:
            raise errors.InvalidAmount(f"entries[{place}].amount", str(error)) from error
        except money.UnknownCurrency as error:
            raise errors.UnknownCurrency(currency) from error

    @property
    def opposite(self) -> "Line":
        """The line that takes this one back."""
        return Line(self.account_id, self.side.opposite, self.amount)


def require_balanced(lines: Sequence[Line]) -> None:
    """Make sure that debits equal credits in each currency.

    Raises:
        Unbalanced: naming the first currency, in the order of the alphabet, in which they differ.
    """
    if len(lines) == 2 and _is_exchange(*lines):
        return
    sums: dict[str, Decimal] = {}
    for _, side, amount in lines:
        signed = amount.amount if side is _DEBIT else -amount.amount
        sums[amount.currency] = sums.get(amount.currency, _NOTHING) + signed
    if not any(sums.values()):
        return
    currency = min(name for name, difference in sums.items() if difference)
    debits, credits_ = (
        sum(
            (x.amount.amount for x in lines if x.side is s and x.amount.currency == currency),
            _NOTHING,
        )
        for s in Side
    )
    raise errors.Unbalanced(currency, debits=f"{debits:f}", credits_=f"{credits_:f}")


def _is_exchange(one: Line, other: Line) -> bool:
    """Tell whether two lines are one amount on either side, as most postings are."""
    return one.side is not other.side and (one.amount is other.amount or one.amount == other.amount)


_NOTHING = Decimal(0)
_DEBIT = Side.DEBIT


@record(frozen=True, slots=True)
class Posting:
    """A transaction to be posted; its debits equal its credits in each currency.

    `effective_at` None means when it is written. `is_linked` ties it to the next posting of its
    request. `is_pending` only reserves its lines, until `expires_at` at the latest, None for no
    end. `template` names the rule that made the lines.

    Raises:
        Unbalanced: they differ.
    """

    reference: str
    lines: tuple[Line, ...]
    description: str = ""
    subject_id: str = ""
    effective_at: datetime | None = None
    is_linked: bool = False
    is_pending: bool = False
    expires_at: datetime | None = None
    template: str = ""

    def __post_init__(self) -> None:
        require_balanced(self.lines)


class Action(StrEnum):
    """How a pending transaction ends. EXPIRE is the ledger's own doing."""

    POST = "POST"
    VOID = "VOID"
    EXPIRE = "EXPIRE"


@dataclass(frozen=True, slots=True)
class Resolution:
    """Asks to end a pending transaction; `lines` are the part to be posted, none for all of it.

    Raises:
        Unbalanced: the debits and credits of the part differ.
    """

    reference: str
    action: Action
    lines: tuple[Line, ...] = ()
    reason: str = ""

    def __post_init__(self) -> None:
        require_balanced(self.lines)


@dataclass(frozen=True, slots=True)
class Reversal:
    """Asks to reverse the transaction of a reference; `reason` is for a person.

    `lines` are the part to be taken back, as the transaction has them, and `own_reference` makes
    that happen once. Without lines all that is left is taken back.

    Raises:
        Unbalanced: the debits and credits of the part differ.
    """

    reference: str
    reason: str
    lines: tuple[Line, ...] = ()
    own_reference: str = ""

    def __post_init__(self) -> None:
        require_balanced(self.lines)


Command = Posting | Resolution | Reversal

REVERSAL_SUFFIX = ":reversal"
RESOLUTION_SUFFIX = ":resolution"
_OWN_SUFFIXES = (REVERSAL_SUFFIX, RESOLUTION_SUFFIX)


def is_own_name(reference: str) -> bool:
    """Tell whether the ledger itself names a transaction so: who took such a name, by a posting or
    by closing it, would keep what it undoes or ends from it for ever.
    """
    return reference.endswith(_OWN_SUFFIXES)


def result_reference(command: Command) -> str:
    """Name the transaction that the command would make."""
    match command:
        case Posting():
            return command.reference
        case Resolution():
            return command.reference + RESOLUTION_SUFFIX
        case Reversal():
            return command.own_reference or command.reference + REVERSAL_SUFFIX


def differing(first: Sequence[Line], second: Sequence[Line]) -> list[str]:
    """Name what two sets of lines do not share; `entries` when only the pairing differs.

    The order of the lines does not matter.
    """
    mine, theirs = sorted(map(_facts, first)), sorted(map(_facts, second))
    if mine == theirs:
        return []
    names = ("accounts", "sides", "amounts", "currencies")
    return [
        name
        for column, name in enumerate(names)
        if sorted(facts[column] for facts in mine) != sorted(facts[column] for facts in theirs)
    ] or ["entries"]


def _facts(line: Line) -> tuple[str, Side, Decimal, str]:
    return line.account_id, line.side, line.amount.amount, line.amount.currency
