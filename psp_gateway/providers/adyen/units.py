"""Amounts in Adyen's units: its own exceptions to ISO 4217.

See https://docs.adyen.com/development-resources/currency-codes.
"""

from decimal import Decimal

from chassis.money import InvalidAmount, Money, UnknownCurrency, currency_decimals

# Two decimals at Adyen, none in ISO 4217; and the reverse.
_TWO_DECIMALS = frozenset({"CLP", "ISK"})
_ZERO_DECIMALS = frozenset({"CVE", "IDR"})
_THREE_DECIMALS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
# Units of account, bonds and funds: nobody pays with them.
_NOT_PAID_WITH = frozenset({"BOV", "CHE", "CHW", "CLF", "COU", "MXV", "USN", "UYI", "UYW"})


class Inexpressible(ValueError):
    """The amount does not exist in Adyen's units."""


def takes(currency: str) -> bool:
    """Whether amounts of a currency can be sent to Adyen; what a merchant account may charge is its
    own matter.
    """
    try:
        decimals = currency_decimals(currency)
    except UnknownCurrency:
        return False
    return currency not in _NOT_PAID_WITH and (decimals < 3 or currency in _THREE_DECIMALS)


def exponent(currency: str) -> int:
    """Tell how many decimals Adyen's amounts of a currency have.

    Raises:
        Inexpressible: Adyen takes no amounts of it.
    """
    if not takes(currency):
        raise Inexpressible(f"Adyen takes no {currency}")
    if currency in _ZERO_DECIMALS:
        return 0
    return 2 if currency in _TWO_DECIMALS else currency_decimals(currency)


def to_minor(money: Money) -> int:
    """Write an amount as Adyen does: 99.99 USD is 9999, and 500 ISK 50000.

    Raises:
        Inexpressible: it would have to be rounded.
    """
    scaled = money.amount.scaleb(exponent(money.currency))
    minor = int(scaled)
    if scaled != Decimal(minor):
        raise Inexpressible(f"Adyen cannot express {money} {money.currency}")
    return minor


def to_wire(money: Money) -> dict[str, object]:
    """Write an amount object."""
    return {"currency": money.currency, "value": to_minor(money)}


def to_money(minor: int, currency: str) -> Money:
    """Read an amount of Adyen's.

    Raises:
        Inexpressible: Adyen has no such amount, or it is not above zero.
    """
    try:
        amount = Decimal(minor).scaleb(-exponent(currency))
        money = Money.exact(amount, currency)
    except (ArithmeticError, InvalidAmount) as error:
        raise Inexpressible(f"{minor} of {currency}") from error
    if minor <= 0:
        raise Inexpressible(f"{minor} of {currency}")
    return money
