"""Amounts as PayPal writes them."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import Money, currency_decimals
from psp_gateway.providers.paypal.units import (
    CURRENCIES,
    Inexpressible,
    amount_of,
    exponent,
    from_wire,
    is_same,
    takes,
    to_wire,
)
from tests.unit.psp_gateway.any_json import json_values
from tests.unit.psp_gateway.paypal import money

ZERO_DECIMALS = {"HUF", "JPY", "TWD"}


@pytest.mark.parametrize(
    ("amount", "currency", "value"),
    [
        ("99.99", "USD", "99.99"),
        ("99.9", "EUR", "99.90"),
        ("100", "GBP", "100.00"),
        ("500", "JPY", "500"),
        ("500", "HUF", "500"),  # two decimals in ISO 4217, none at PayPal
        ("500.00", "TWD", "500"),
        ("999999999999999.99", "USD", "999999999999999.99"),
    ],
)
def test_amounts_are_decimal_strings(amount: str, currency: str, value: str) -> None:
    """An amount has PayPal's decimals of its currency, no more and no fewer."""
    asked = Money.parse(amount, currency)

    assert to_wire(asked) == {"currency_code": currency, "value": value}
    assert is_same(to_wire(asked), asked)


@pytest.mark.parametrize(
    ("amount", "currency"),
    [("500.50", "HUF"), ("0.01", "TWD"), ("1.000", "TND"), ("5", "ISK"), ("1.000", "KWD")],
)
def test_what_paypal_cannot_express(amount: str, currency: str) -> None:
    """Nothing is rounded, and a currency that PayPal does not take is not sent."""
    with pytest.raises(Inexpressible):
        to_wire(Money.parse(amount, currency))


@pytest.mark.parametrize("amount", [Decimal(0), Decimal(-1)])
def test_only_what_is_above_zero_is_sent(amount: Decimal) -> None:
    """PayPal refuses the rest (CANNOT_BE_ZERO_OR_NEGATIVE)."""
    with pytest.raises(Inexpressible):
        to_wire(Money(amount, "USD"))


def test_the_currencies() -> None:
    """All but three of the 24 have the decimals of ISO 4217."""
    assert len(CURRENCIES) == 24
    differing = {code for code in CURRENCIES if exponent(code) != currency_decimals(code)}
    assert differing == {"HUF", "TWD"}
    assert {code for code in CURRENCIES if exponent(code) == 0} == ZERO_DECIMALS
    assert not takes("XXX")
    assert not takes("usd")


@given(
    st.sampled_from(sorted(CURRENCIES)),
    st.integers(min_value=1, max_value=10**15 - 2),
)
def test_what_is_written_reads_back(currency: str, minor: int) -> None:
    """Each amount of PayPal's units is the same amount on the wire, and no other."""
    asked = Money(Decimal(minor).scaleb(-exponent(currency)), currency)
    more = Money(Decimal(minor + 1).scaleb(-exponent(currency)), currency)

    assert is_same(to_wire(asked), asked)
    assert not is_same(to_wire(asked), more)


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (money("99.99"), True),
        (money("099.990"), True),
        (money("99.98"), False),
        (money("-99.99"), False),
        (money("99.99 "), False),
        (money("9999E-2"), False),
        (money("٩٩.٩٩"), False),
        (money("NaN"), False),
        (money("0" * 40 + "99.99"), False),
        (money("99.99", "EUR"), False),
        ({"currency_code": "USD", "value": 99.99}, False),
        ({"currency_code": ["USD"], "value": "99.99"}, False),
        ({"value": "99.99"}, False),
        ("99.99", False),
        (None, False),
    ],
)
def test_another_amount_is_another(wire: object, expected: bool) -> None:
    """Only a decimal string of the same value and currency is the same."""
    assert is_same(wire, Money.parse("99.99", "USD")) is expected


@given(json_values)
def test_anything_else_is_not_it(wire: Any) -> None:
    """Whatever comes in an amount's place raises nothing."""
    assert is_same(wire, Money.parse("99.99", "USD")) is False


@pytest.mark.parametrize("value", ["1000000000000000.00", "9" * 32, "0.00", "1.234"])
def test_what_is_out_of_all_bounds_is_no_amount(value: str) -> None:
    """It is told as such, whatever PayPal may write."""
    wire = {"currency_code": "USD", "value": value}
    assert amount_of(wire, "USD") is None
    with pytest.raises(Inexpressible):
        from_wire(wire)
