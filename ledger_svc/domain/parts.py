"""Parts of a transaction: what has been taken of it, and what is left."""

from collections.abc import Iterable
from decimal import Decimal

from chassis import money
from chassis.money import Money
from ledger_svc.domain import errors
from ledger_svc.domain.account import Side
from ledger_svc.domain.posting import Line

Place = tuple[str, Side, str]

Sums = dict[Place, Decimal]
"""Amounts on each account and side, by currency: plain decimals, since many lines may come to more
than a balance can be.
"""


def left_of(whole: Iterable[Line], taken: Iterable[Line]) -> Sums:
    """Sum what is left on each account and side of a transaction, in its order; never below zero
    while no part was too large.
    """
    left = _sums(whole)
    for place, amount in _sums(taken).items():
        left[place] -= amount
    return left


def require_part(reference: str, left: Sums, part: Iterable[Line]) -> None:
    """Make sure that a part is no more than what is left.

    Raises:
        PartTooLarge: naming the account and side that it would take too much of.
    """
    for place, amount in _sums(part).items():
        account_id, side, currency = place
        available = left.get(place, Money.zero(currency).amount)
        if amount > available:
            raise errors.PartTooLarge(reference, account_id, side, left=available)


def lines_of(sums: Sums) -> tuple[Line, ...]:
    """Make lines of what is left, those with nothing left out.

    Raises:
        InvalidAmount: more is left on an account and side than one line can say.
    """
    try:
        return tuple(
            Line(account_id, side, Money(amount, currency))
            for (account_id, side, currency), amount in sums.items()
            if amount
        )
    except money.InvalidAmount as error:
        raise errors.InvalidAmount("entries", f"what is left: {error}") from error


def _sums(lines: Iterable[Line]) -> Sums:
    sums: Sums = {}
    for account_id, side, amount in lines:
        place = account_id, side, amount.currency
        sums[place] = sums[place] + amount.amount if place in sums else amount.amount
    return sums
