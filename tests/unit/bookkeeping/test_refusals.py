"""What both refuse of an amount: the field and why, or the currency."""

from decimal import Decimal

import pytest

from bookkeeping.refusals import InvalidAmount, UnknownCurrency, parse_amount, require_currency
from chassis.errors import FailedPrecondition


def test_an_amount_above_zero_is_read() -> None:
    """As money of its currency."""
    read = parse_amount("amount", "99.99", "USD")

    assert (read.amount, read.currency) == (Decimal("99.99"), "USD")


@pytest.mark.parametrize("text", ["", "0", "-1", "1.001", "1e3", "٣", "1" * 16])
def test_what_is_no_amount_is_refused(text: str) -> None:
    """The refusal names the field."""
    with pytest.raises(InvalidAmount) as refused:
        parse_amount("operations[3].amount", text, "USD")

    assert refused.value.metadata == {"field": "operations[3].amount"}
    assert refused.value.message.startswith("operations[3].amount: ")
    assert isinstance(refused.value, FailedPrecondition)


@pytest.mark.parametrize("currency", ["", "usd", "XYZ", "US"])
def test_what_is_no_currency_is_refused(currency: str) -> None:
    """With an amount or alone; the refusal names it."""
    for read in (
        lambda: parse_amount("amount", "1.00", currency),
        lambda: require_currency(currency),
    ):
        with pytest.raises(UnknownCurrency) as refused:
            read()

        assert refused.value.metadata == {"currency": currency}


def test_a_currency_is_let_pass() -> None:
    """Any of ISO 4217."""
    require_currency("JPY")
