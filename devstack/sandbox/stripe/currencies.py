"""Which currencies and amounts Stripe takes: ISO 4217 codes in any case, with Stripe's own
exceptions.
"""

from decimal import Decimal

from chassis.money import UnknownCurrency, currency_decimals
from devstack.sandbox.stripe.errors import invalid

# The decimals that Stripe counts by, where they are not those of ISO 4217.
_SENT_WITH = {"MGA": 0, "ISK": 2, "UGX": 2}
_AMOUNT_MAX = 999_999_999_999
# docs.stripe.com/currencies: three-decimal currencies end in 0, these two in 00.
_TENS = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
_HUNDREDS = frozenset({"isk", "ugx"})


def checked_currency(code: str) -> str:
    """Give a currency's code as Stripe writes it, in lower case.

    Raises:
        StripeError: Stripe does not know it.
    """
    try:
        currency_decimals(code.upper())
    except UnknownCurrency as error:
        raise invalid(f"Invalid currency: {code.lower()}", param="currency") from error
    return code.lower()


def check_amount(amount: int, currency: str, param: str = "amount") -> None:
    """Check an amount in minor units, above zero.

    Raises:
        StripeError: Stripe would not take it in that currency.
    """
    if amount < 1:
        message = "This value must be greater than or equal to 1."
        raise invalid(message, code="parameter_invalid_integer", param=param)
    if amount > _AMOUNT_MAX:
        raise invalid(
            "Amount must be no more than 12 digits.", code="amount_too_large", param=param
        )
    step = 10 if currency in _TENS else 100 if currency in _HUNDREDS else 1
    if amount % step:
        message = f"Invalid amount: in {currency} it must be a multiple of {step}."
        raise invalid(message, code="parameter_invalid_integer", param=param)


def shown(amount: int, currency: str) -> str:
    """Write minor units for a person: `99.99 USD`."""
    code = currency.upper()
    decimals = _SENT_WITH.get(code, currency_decimals(code))
    return f"{Decimal(amount).scaleb(-decimals):,f} {code}"
