"""Money: an exact decimal with its currency. Decimals come from ISO 4217; excess digits are
refused, never rounded.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

import iso4217

from chassis.errors import InvalidRequest

# The databases keep NUMERIC(19, 4).
_WHOLE_DIGITS = 15
_AMOUNT = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?", re.ASCII)


class InvalidAmount(ValueError):
    """The text is no amount of its currency."""


class UnknownCurrency(ValueError):
    """The code is not an ISO 4217 currency with money in it."""


@cache
def currency_decimals(code: str) -> int:
    """Tell how many decimals a currency has: 2 for USD, 0 for JPY, 3 for KWD.

    Raises:
        UnknownCurrency: the code is not in ISO 4217, or has no minor unit (gold, the test code).
    """
    try:
        exponent = iso4217.Currency(code).exponent
    except ValueError:
        exponent = None
    if exponent is None:
        raise UnknownCurrency(f"{code!r} is not an ISO 4217 currency")
    return int(exponent)


@cache
def _written_out(code: str) -> Callable[[str], object]:
    """Make the test for an amount with just as many decimals as the currency has."""
    decimals = currency_decimals(code)
    return re.compile(r"(0|[1-9][0-9]*)" + rf"\.[0-9]{{{decimals}}}" * bool(decimals)).fullmatch


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of one currency, zero or above or below, with as many decimals as the currency has.

    Raises:
        InvalidAmount: not finite, too many decimals, or 15 digits before the point are passed.
        UnknownCurrency: see `currency_decimals`.
    """

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if not self.amount.is_finite():
            raise InvalidAmount("an amount is a finite number")
        decimals = currency_decimals(self.currency)
        exponent = self.amount.as_tuple().exponent
        if isinstance(exponent, int) and -exponent > decimals:
            raise InvalidAmount(f"{self.currency} has {decimals} decimals")
        if self.amount.adjusted() >= _WHOLE_DIGITS:
            raise InvalidAmount(f"at most {_WHOLE_DIGITS} digits before the point")
        object.__setattr__(self, "amount", round(self.amount, decimals))

    @classmethod
    def parse(cls, text: str, currency: str) -> "Money":
        """Read a decimal above zero, such as "99.99": no sign, exponent, space or leading zero.

        Raises:
            InvalidAmount: the text is anything else, or has more decimals than the currency.
            UnknownCurrency: see `currency_decimals`.
        """
        is_written_out = _written_out(currency)(text)  # as most are
        if not is_written_out and not _AMOUNT.fullmatch(text):
            raise InvalidAmount('a decimal string such as "99.99" is expected')
        amount = Decimal(text)
        money = _in_range(amount, currency) if is_written_out else cls(amount, currency)
        if not amount:
            raise InvalidAmount("must be above zero")
        return money

    @classmethod
    def of_stored(cls, amount: Decimal, currency: str) -> "Money":
        """Read what a database keeps with four decimals: an excess that is not zeros shows."""
        kept = round(amount, currency_decimals(currency))
        return _in_range(kept if kept == amount else amount, currency)

    @classmethod
    def exact(cls, amount: Decimal, currency: str) -> "Money":
        """Make money of an amount that others wrote with decimals of their own; none may be lost.

        Raises:
            InvalidAmount: the currency has no such amount.
            ArithmeticError: it is no number, or far beyond all money.
        """
        kept = round(amount, currency_decimals(currency))
        if kept != amount:
            raise InvalidAmount(f"{currency} has no {amount}")
        return _in_range(kept, currency)

    @classmethod
    @cache
    def zero(cls, currency: str) -> "Money":
        """Make nothing of a currency; all sums begin with it, so that it is made once."""
        return cls(Decimal(0), currency)

    def __add__(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not add up")
        return _in_range(self.amount + other.amount, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not add up")
        return _in_range(self.amount - other.amount, self.currency)

    def __neg__(self) -> "Money":
        return _in_range(-self.amount, self.currency)

    def __str__(self) -> str:
        """Write the amount alone, with the currency's own decimals: "99.90"."""
        return str(self.amount)


def _in_range(amount: Decimal, currency: str) -> Money:
    """Make money of decimals that are known to fit: a batch adds thousands of times."""
    if amount.adjusted() >= _WHOLE_DIGITS:
        raise InvalidAmount(f"at most {_WHOLE_DIGITS} digits before the point")
    money = _new(Money)
    _set_amount(money, amount)
    _set_currency(money, currency)
    return money


# The slots themselves: half the price of `object.__setattr__`, which finds them by name.
_new, _set_amount = object.__new__, Money.__dict__["amount"].__set__
_set_currency = Money.__dict__["currency"].__set__


def total(amounts: Iterable[Money], currency: str) -> Money:
    """Sum amounts of one currency; nothing sums to zero."""
    return sum(amounts, Money.zero(currency))


def parse_field(path: str, amount: str, currency: str) -> Money:
    """Read money out of a request whose fields are `path.amount` and `path.currency`.

    Raises:
        InvalidRequest: naming the field that is wrong.
    """
    prefix = f"{path}." if path else ""
    try:
        return Money.parse(amount, currency)
    except InvalidAmount as error:
        raise InvalidRequest.field(f"{prefix}amount", str(error), "INVALID_AMOUNT") from error
    except UnknownCurrency as error:
        raise InvalidRequest.field(f"{prefix}currency", str(error), "UNKNOWN_CURRENCY") from error
