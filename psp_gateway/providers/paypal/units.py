"""Amounts as PayPal writes them: decimal strings, with exceptions of its own to ISO 4217.

See https://developer.paypal.com/reference/currency-codes/.
"""

import re
from collections.abc import Mapping
from decimal import Decimal

from chassis.money import InvalidAmount, Money, currency_decimals

_CURRENCIES = """
AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF ILS JPY MXN MYR NOK NZD PHP PLN SEK SGD THB TWD USD
"""
CURRENCIES = frozenset(_CURRENCIES.split())
# PayPal refuses decimals of them, though ISO 4217 gives two to forints and Taiwan dollars.
_ZERO_DECIMALS = frozenset({"HUF", "JPY", "TWD"})

# The pattern and the length of `money` in the published Orders v2, without a sign.
_VALUE = re.compile(r"[0-9]+|[0-9]*[.][0-9]+", re.ASCII)
_VALUE_LENGTH_MAX = 32


class Inexpressible(ValueError):
    """The amount does not exist at PayPal."""


def takes(currency: str) -> bool:
    """Whether PayPal takes a currency; what an account may charge is its own matter."""
    return currency in CURRENCIES


def exponent(currency: str) -> int:
    """Tell how many decimals PayPal's amounts of a currency have.

    Raises:
        Inexpressible: PayPal takes no amounts of it.
    """
    if not takes(currency):
        raise Inexpressible(f"PayPal takes no {currency}")
    return 0 if currency in _ZERO_DECIMALS else currency_decimals(currency)


def to_wire(money: Money) -> dict[str, str]:
    """Write an amount object: 99.90 USD is "99.90", and 500 HUF "500".

    Raises:
        Inexpressible: it would have to be rounded, or is not above zero.
    """
    value = round(money.amount, exponent(money.currency))
    if value != money.amount or value <= 0:
        raise Inexpressible(f"PayPal cannot express {money} {money.currency}")
    return {"currency_code": money.currency, "value": f"{value:f}"}


def from_wire(wire: object) -> Money:
    """Read an amount object of PayPal's.

    Raises:
        Inexpressible: it is none, or not above zero.
    """
    found = wire if isinstance(wire, Mapping) else {}
    value, currency = str(found.get("value")), str(found.get("currency_code"))
    is_value = len(value) <= _VALUE_LENGTH_MAX and _VALUE.fullmatch(value)
    if not takes(currency) or not is_value:
        raise Inexpressible("this is no amount")
    try:
        money = Money.exact(Decimal(value), currency)
    except (ArithmeticError, InvalidAmount) as error:
        raise Inexpressible("this is no amount") from error
    if money.amount <= 0:
        raise Inexpressible("this is no amount")
    return money


def amount_of(wire: object, currency: str) -> Money | None:
    """Read an amount object of PayPal's in a currency; None when it is anything else."""
    try:
        money = from_wire(wire)
    except Inexpressible:
        return None
    return money if money.currency == currency else None


def is_same(wire: object, money: Money) -> bool:
    """Whether an amount object of PayPal's is this amount; anything odd is not."""
    if not isinstance(wire, Mapping):
        return False
    value = wire.get("value")
    if not isinstance(value, str) or len(value) > _VALUE_LENGTH_MAX or not _VALUE.fullmatch(value):
        return False
    return wire.get("currency_code") == money.currency and Decimal(value) == money.amount
