"""What a template is: a named, versioned, pure function from facts to lines.

A published version is never edited: a changed rule is a new version under the same name, so that
what was posted once can be posted again and an auditor can tell which rule made an entry.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from chassis import money
from chassis.money import Money
from ledger_svc.domain import errors
from ledger_svc.domain.account import Side
from ledger_svc.domain.chart import OutsideChart
from ledger_svc.domain.posting import Line, Posting
from ledger_svc.domain.templates.errors import TemplateMismatch

Facts = TypeVar("Facts")


class FactsDiffer(ValueError):
    """The facts do not go together; `field` names the one at fault."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


@dataclass(frozen=True, slots=True)
class Share:
    """One seller's part of an amount; above zero."""

    seller: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Draft:
    """What a template makes of its facts.

    Attributes:
        reference: what the transaction books, by convention `<object>:<id>:<event>`.
        told: what happened, for a person; the template's name is put before it.
    """

    reference: str
    told: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Template(Generic[Facts]):
    """A published rule.

    Attributes:
        name: lower case with underscores.
        version: from 1.
        facts: the class of what it needs to know.
        draft: the rule itself, pure; may raise FactsDiffer, OutsideChart and money.InvalidAmount.
        used: the sentence of when it is used.
    """

    name: str
    version: int
    facts: type[Facts]
    draft: Callable[[Facts], Draft]
    used: str

    @property
    def tag(self) -> str:
        """Its name and version, `captured/1`: what it posts is marked by it."""
        return f"{self.name}/{self.version}"

    def expand(
        self, facts: Facts, *, subject_id: str = "", effective_at: datetime | None = None
    ) -> Posting:
        """Make the posting that books the facts.

        Raises:
            TemplateMismatch: the facts do not go together, or cannot stand in an account id.
            InvalidAmount: an amount is not above zero, or too large for the books.
            Unbalanced: the parts do not sum to the whole.
        """
        try:
            draft = self.draft(facts)
        except FactsDiffer as error:
            raise TemplateMismatch(self.tag, error.field, str(error)) from error
        except OutsideChart as error:
            raise TemplateMismatch(self.tag, error.part, f"is wrong: {error}") from error
        return Posting(
            draft.reference,
            draft.lines,
            description=draft.told,
            subject_id=subject_id,
            effective_at=effective_at,
            template=self.tag,
        )


def debit(account_id: str, amount: Money, field: str = "amount") -> Line:
    """Make a debit.

    Raises:
        InvalidAmount: the amount is not above zero; it names `field`.
    """
    return _line(account_id, Side.DEBIT, amount, field)


def credit(account_id: str, amount: Money, field: str = "amount") -> Line:
    """Make a credit; raises as `debit`."""
    return _line(account_id, Side.CREDIT, amount, field)


def require_shares(
    field: str, shares: tuple[Share, ...], currency: str, *, least: int = 1, most: int
) -> None:
    """Hold shares to one currency, to amounts above zero, and to what fits into one transaction.

    That they sum to their whole is for Posting to say, by its debits and credits.

    Raises:
        FactsDiffer: there are fewer or more, or one is in another currency.
        InvalidAmount: one is not above zero.
    """
    if not least <= len(shares) <= most:
        raise FactsDiffer(field, f"has {len(shares)} items, not {least} to {most}")
    for index, share in enumerate(shares):
        require_currency(share.amount, currency, f"{field}[{index}].amount")
        _require_positive(share.amount, f"{field}[{index}].amount")


def add(field: str, currency: str, *amounts: Money) -> Money:
    """Sum amounts of one currency.

    Raises:
        InvalidAmount: the sum is too large for the books; it names `field`.
    """
    try:
        return money.total(amounts, currency)
    except money.InvalidAmount as error:
        raise errors.InvalidAmount(field, f"the sum: {error}") from error


def require_currency(amount: Money, currency: str, field: str) -> None:
    """Hold an amount to a currency.

    Raises:
        FactsDiffer: it is in another.
    """
    if amount.currency != currency:
        raise FactsDiffer(field, f"is in {amount.currency}, not in {currency}")


def _line(account_id: str, side: Side, amount: Money, field: str) -> Line:
    _require_positive(amount, field)
    return Line(account_id, side, amount)


def _require_positive(amount: Money, field: str) -> None:
    if amount.amount <= 0:
        raise errors.InvalidAmount(field, "must be above zero")
