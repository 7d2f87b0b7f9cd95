"""Amounts in Stripe's units: its own exceptions to ISO 4217.

See https://docs.stripe.com/currencies#zero-decimal and #special-cases.
"""

from decimal import Decimal

from chassis.money import InvalidAmount, Money, UnknownCurrency, currency_decimals

_THREE_DECIMALS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
# Whole units at Stripe, though ISO 4217 gives them two decimals.
_ZERO_DECIMALS = frozenset({"MGA"})
# No decimals in ISO 4217; sent to Stripe with two, which must be zeros.
_SENT_WITH_ZEROS = frozenset({"ISK", "UGX"})
# Units of account, bonds and funds: nobody pays with them.
_NOT_PAID_WITH = frozenset({"BOV", "CHE", "CHW", "CLF", "COU", "MXV", "USN", "UYI", "UYW"})


class Inexpressible(ValueError):
    """The amount does not exist in Stripe's units."""


def takes(currency: str) -> bool:
    """Whether amounts of a currency can be sent to Stripe; what an account may charge is its own
    matter.
    """
    try:
        decimals = currency_decimals(currency)
    except UnknownCurrency:
        return False
    return currency not in _NOT_PAID_WITH and (decimals < 3 or currency in _THREE_DECIMALS)


def exponent(currency: str) -> int:
    """Tell how many decimals Stripe's amounts of a currency have.

    Raises:
        Inexpressible: Stripe takes no amounts of it.
    """
    if not takes(currency):
        raise Inexpressible(f"Stripe takes no {currency}")
    if currency in _ZERO_DECIMALS:
        return 0
    return 2 if currency in _SENT_WITH_ZEROS else currency_decimals(currency)


def to_minor(money: Money) -> int:
    """Write an amount as Stripe does: 99.99 USD is 9999.

    Raises:
        Inexpressible: it would have to be rounded.
    """
    scaled = money.amount.scaleb(exponent(money.currency))
    minor = int(scaled)
    is_third_decimal_lost = money.currency in _THREE_DECIMALS and minor % 10
    if scaled != minor or is_third_decimal_lost:
        raise Inexpressible(f"Stripe cannot express {money} {money.currency}")
    return minor


def to_money(minor: int, currency: str) -> Money:
    """Read an amount of Stripe's.

    Raises:
        Inexpressible: Stripe has no such amount.
    """
    amount = Decimal(minor).scaleb(-exponent(currency))
    try:
        money = Money.exact(amount, currency)
    except (ArithmeticError, InvalidAmount) as error:
        raise Inexpressible(f"{minor} of {currency}") from error
    if to_minor(money) != minor:
        raise Inexpressible(f"{minor} of {currency}")
    return money
