"""Parts of a transaction: what has been taken of it, and what is left."""

from collections.abc import Iterable

from chassis.money import Money
from ledger_svc.domain import errors
from ledger_svc.domain.account import Side
from ledger_svc.domain.posting import Line

Place = tuple[str, Side, str]


def left_of(whole: Iterable[Line], taken: Iterable[Line]) -> dict[Place, Money]:
    """Sum what is left on each account and side of a transaction, in its order; never below zero
    while no part was too large.
    """
    left = _sums(whole)
    for place, amount in _sums(taken).items():
        left[place] -= amount
    return left


def require_part(reference: str, left: dict[Place, Money], part: Iterable[Line]) -> None:
    """Make sure that a part is no more than what is left.

    Raises:
        PartTooLarge: naming the account and side that it would take too much of.
    """
    for (account_id, side, currency), amount in _sums(part).items():
        available = left.get((account_id, side, currency), Money.zero(currency))
        if amount.amount > available.amount:
            raise errors.PartTooLarge(reference, account_id, side, left=available)


def lines_of(sums: dict[Place, Money]) -> tuple[Line, ...]:
    """Make lines of what is left, those with nothing left out."""
    return tuple(
        Line(account_id, side, amount)
        for (account_id, side, _), amount in sums.items()
        if amount.amount
    )


def _sums(lines: Iterable[Line]) -> dict[Place, Money]:
    sums: dict[Place, Money] = {}
    for account_id, side, amount in lines:
        place = account_id, side, amount.currency
        sums[place] = sums[place] + amount if place in sums else amount
    return sums
