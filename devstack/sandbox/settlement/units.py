"""How many decimals each PSP's amounts have, and amounts as files write them."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from chassis.money import currency_decimals
from devstack.sandbox.paypal.given import decimals_of as paypal_decimals

# docs.adyen.com/development-resources/currency-codes and docs.stripe.com/currencies, where they
# differ from ISO 4217.
_OWN: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "adyen": {"CLP": 2, "ISK": 2, "CVE": 0, "IDR": 0},
        "stripe": {"MGA": 0, "ISK": 2, "UGX": 2},
    }
)


def decimals_of(psp: str, currency: str) -> int:
    """Tell how many decimals a PSP's minor units of a currency have.

    Raises:
        UnknownCurrency: the code is not in ISO 4217.
    """
    if psp == "paypal":
        return paypal_decimals(currency)
    own = _OWN.get(psp, {}).get(currency)
    return currency_decimals(currency) if own is None else own


def major(minor: int, decimals: int) -> str:
    """Write minor units as a decimal number with all its decimals: 1050 and 2 make "10.50"."""
    return f"{Decimal(minor).scaleb(-decimals):f}"
