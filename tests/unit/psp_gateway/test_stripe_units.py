"""Amounts in Stripe's units, over all currencies of ISO 4217."""

from decimal import Decimal

import iso4217
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import Money, currency_decimals
from psp_gateway.providers.stripe.units import Inexpressible, exponent, takes, to_minor, to_money

CODES = sorted(currency.code for currency in iso4217.Currency)
TAKEN = [code for code in CODES if takes(code)]


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("99.99", "USD", 9999),
        ("500", "JPY", 500),
        ("12", "CLP", 12),
        ("12", "ISK", 1200),  # no decimals in ISO 4217, two at Stripe
        ("12", "UGX", 1200),
        ("12.00", "MGA", 12),  # two decimals in ISO 4217, none at Stripe
        ("10.50", "HUF", 1050),
        ("10.50", "TWD", 1050),
        ("10.50", "IDR", 1050),
        ("1.230", "KWD", 1230),
    ],
)
def test_stripes_exceptions(amount: str, currency: str, minor: int) -> None:
    """What Stripe's pages say of its own currencies."""
    money = Money.parse(amount, currency)

    assert to_minor(money) == minor
    assert to_money(minor, currency) == money


@pytest.mark.parametrize(
    ("amount", "currency"),
    [("1.234", "KWD"), ("0.001", "BHD"), ("1.50", "MGA"), ("1.000", "IQD"), ("1.000", "LYD")],
)
def test_what_stripe_cannot_express_is_refused(amount: str, currency: str) -> None:
    """Nothing is ever rounded."""
    with pytest.raises(Inexpressible):
        to_minor(Money.parse(amount, currency))


@pytest.mark.parametrize(
    ("minor", "currency"),
    [(1234, "KWD"), (1250, "ISK"), (1, "UGX"), (10**15, "JPY"), (10**17, "USD"), (10**40, "USD")],
)
def test_what_stripe_cannot_mean_is_refused(minor: int, currency: str) -> None:
    """An amount that Stripe has no use for is no amount."""
    with pytest.raises(Inexpressible):
        to_money(minor, currency)


@given(code=st.sampled_from(TAKEN), units=st.integers(min_value=1, max_value=10**12))
def test_there_and_back(code: str, units: int) -> None:
    """In every currency an amount comes back as it went, or is refused."""
    money = Money(Decimal(units).scaleb(-currency_decimals(code)), code)
    try:
        minor = to_minor(money)
    except Inexpressible:
        assert exponent(code) < currency_decimals(code) or units % 10
        return

    assert to_money(minor, code) == money
    assert Decimal(minor).scaleb(-exponent(code)) == money.amount


@pytest.mark.parametrize("code", CODES)
def test_every_currency_is_taken_or_refused(code: str) -> None:
    """Each code of ISO 4217 has an exponent at Stripe of at most three, or is not taken."""
    if takes(code):
        assert 0 <= exponent(code) <= 3
    else:
        with pytest.raises(Inexpressible):
            exponent(code)


def test_gold_and_funds_are_not_taken() -> None:
    """What nobody pays with is not taken, and common money is."""
    assert not [code for code in ("XAU", "XXX", "CLF", "USN", "IQD", "QQQ") if takes(code)]
    assert all(map(takes, ("USD", "EUR", "GBP", "JPY", "KWD", "ISK", "BRL", "CHF")))
