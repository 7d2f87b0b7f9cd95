"""Money is exact, knows its currency's decimals, and refuses everything else."""

from decimal import Decimal

import iso4217
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import InvalidRequest
from chassis.money import (
    InvalidAmount,
    Money,
    UnknownCurrency,
    currency_decimals,
    parse_field,
    total,
)

CURRENCIES = sorted(c.code for c in iso4217.Currency if c.exponent is not None)


@given(minor=st.integers(1, 10**15), currency=st.sampled_from(CURRENCIES))
def test_every_amount_survives_the_wire(minor: int, currency: str) -> None:
    """What is written is read back the same, with the currency's own number of decimals."""
    decimals = currency_decimals(currency)
    if minor >= 10 ** (15 + decimals):
        return
    money = Money(Decimal(minor).scaleb(-decimals), currency)

    assert Money.parse(str(money), currency) == money
    assert len(str(money).partition(".")[2]) == decimals


@pytest.mark.parametrize(
    "text",
    ["", " 1", "1 ", "+1", "-1", "1e3", "1E3", "NaN", "Infinity", "0x1", "01", "1.", ".5", "1,00",
     "1_000", "0", "0.00", "99.999", "1000000000000000", "１", "٣"],
)  # fmt: skip
def test_what_is_no_amount_is_refused(text: str) -> None:
    """Signs, exponents, spaces, leading zeros, other scripts, zero, excess digits: refused."""
    with pytest.raises(InvalidAmount):
        Money.parse(text, "USD")


@pytest.mark.parametrize("code", ["", "usd", "US", "ZZZ", "XAU", "XXX", "XTS"])
def test_what_is_no_currency_is_refused(code: str) -> None:
    """Unknown codes, and codes of what has no minor unit, are refused."""
    with pytest.raises(UnknownCurrency):
        Money.parse("1", code)


def test_fields_are_named() -> None:
    """A wrong amount in a request says which field it was."""
    with pytest.raises(InvalidRequest) as raised:
        parse_field("payment_orders[2]", "1.234", "EUR")

    assert raised.value.violations[0].field == "payment_orders[2].amount"


def test_currencies_do_not_mix() -> None:
    """Adding two currencies is a bug, not a number."""
    with pytest.raises(ValueError, match="do not add up"):
        _ = Money.parse("1", "USD") + Money.parse("1", "EUR")


@given(st.lists(st.integers(1, 10**9), max_size=20))
def test_sums_are_exact(cents: list[int]) -> None:
    """No cent is lost in any sum."""
    amounts = [Money(Decimal(c).scaleb(-2), "USD") for c in cents]

    assert total(amounts, "USD").amount == Decimal(sum(cents)).scaleb(-2)


def test_what_is_stored_beyond_a_currencys_decimals_shows() -> None:
    """Zeros go; any other digit was not written by us, and stays to be seen."""
    assert str(Money.of_stored(Decimal("5.0000"), "JPY")) == "5"
    assert str(Money.of_stored(Decimal("5.1000"), "USD")) == "5.10"
    assert str(Money.of_stored(Decimal("5.1040"), "USD")) == "5.1040"


@pytest.mark.parametrize(
    ("amount", "currency", "read"),
    [
        ("12.50", "ISK", None),
        ("12.00", "ISK", "12"),
        ("0.005", "USD", None),
        ("1.5", "USD", "1.50"),
    ],
)
def test_no_decimal_is_lost_of_what_others_wrote(
    amount: str, currency: str, read: str | None
) -> None:
    """What the currency cannot say is no amount of it; zeros behind it are nothing."""
    if read is not None:
        assert str(Money.exact(Decimal(amount), currency)) == read
        return
    with pytest.raises(InvalidAmount):
        Money.exact(Decimal(amount), currency)
