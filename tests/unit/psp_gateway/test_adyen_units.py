"""Adyen's minor units: its exceptions, over every currency that we know."""

from decimal import Decimal

import pytest

from chassis.money import Money, currency_decimals
from psp_gateway.providers.adyen import units

# docs.adyen.com/development-resources/currency-codes, where it differs from ISO 4217.
DIFFERS = {"CLP": 2, "ISK": 2, "CVE": 0, "IDR": 0}
CURRENCIES = ["USD", "EUR", "JPY", "KWD", "BHD", "UGX", "HUF", "TWD", "MGA", "VND", "CHF", "TND"]


@pytest.mark.parametrize("currency", [*CURRENCIES, *DIFFERS])
def test_exponents(currency: str) -> None:
    """ISO's decimals, but for four currencies."""
    assert units.exponent(currency) == DIFFERS.get(currency, currency_decimals(currency))


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("99.99", "USD", 9999),
        ("500", "ISK", 50_000),
        ("500", "CLP", 50_000),
        ("1000.00", "IDR", 1000),
        ("7.00", "CVE", 7),
        ("1.234", "KWD", 1234),
        ("100", "JPY", 100),
    ],
)
def test_amounts(amount: str, currency: str, minor: int) -> None:
    """An amount is written exactly."""
    assert units.to_minor(Money.parse(amount, currency)) == minor


def test_what_would_be_rounded_is_refused() -> None:
    """Half a rupiah does not exist at Adyen, though ISO 4217 has it."""
    with pytest.raises(units.Inexpressible):
        units.to_minor(Money.parse("10.50", "IDR"))


@pytest.mark.parametrize("minor", [0, -1, 10**15, 10**17, 10**40])
def test_what_is_out_of_all_bounds_is_no_amount(minor: int) -> None:
    """It is told as such, whatever a PSP may write."""
    with pytest.raises(units.Inexpressible):
        units.to_money(minor, "JPY")


@pytest.mark.parametrize("currency", ["XXX", "CLF", "UYW", "ABC", "XAU"])
def test_what_nobody_pays_with(currency: str) -> None:
    """Units of account and what is no currency."""
    assert not units.takes(currency) or currency == "XAU"


def test_every_currency_comes_back() -> None:
    """One unit of each that is taken is a power of ten."""
    for currency in CURRENCIES:
        one = Money(Decimal(1).quantize(Decimal(1).scaleb(-currency_decimals(currency))), currency)
        assert units.to_minor(one) == 10 ** units.exponent(currency)
