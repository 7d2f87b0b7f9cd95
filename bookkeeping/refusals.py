"""Why an item of a batch is refused, as far as the ledger and the wallets say it in the same words.

Each has its own beside these, in its `domain/errors.py`.
"""

from chassis import money
from chassis.errors import FailedPrecondition
from chassis.money import Money


class Refusal(FailedPrecondition):
    """Why an item was not done. It changed nothing."""


class InvalidAmount(Refusal):
    """The amount is no decimal above zero, has too many decimals, or is too large for the books."""

    reason = "INVALID_AMOUNT"

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}.", field=field)


class UnknownCurrency(Refusal):
    """The currency is not in ISO 4217."""

    reason = "UNKNOWN_CURRENCY"

    def __init__(self, currency: str) -> None:
        super().__init__(f"{currency} is no currency of ISO 4217.", currency=currency)


def parse_amount(field: str, text: str, currency: str) -> Money:
    """Read an amount above zero out of a field.

    Raises:
        InvalidAmount: it is no decimal above zero, or has too many decimals.
        UnknownCurrency: it is not in ISO 4217.
    """
    try:
        return Money.parse(text, currency)
    except money.InvalidAmount as error:
        raise InvalidAmount(field, str(error)) from error
    except money.UnknownCurrency as error:
        raise UnknownCurrency(currency) from error


def require_currency(currency: str) -> None:
    """Make sure that a currency is one.

    Raises:
        UnknownCurrency: it is not in ISO 4217.
    """
    try:
        money.currency_decimals(currency)
    except money.UnknownCurrency as error:
        raise UnknownCurrency(currency) from error
