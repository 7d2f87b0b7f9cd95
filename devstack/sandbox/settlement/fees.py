"""What the PSPs keep of each movement: the sandbox's own prices, shaped as theirs are published."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from types import MappingProxyType

from chassis.money import currency_decimals
from devstack.sandbox.settlement.movements import Movement
from devstack.sandbox.settlement.units import decimals_of

_SALES = frozenset({"charge", "capture"})
# Stripe takes amounts of these in tens: docs.stripe.com/currencies.
_TENS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})


@dataclass(frozen=True, slots=True)
class Price:
    """A share of the gross, and so much a time.

    Args:
        rate: 0.029 is 2.9 %.
        fixed: in the currency's major unit, whichever it is.
    """

    rate: Decimal
    fixed: Decimal


_NONE = Price(Decimal(0), Decimal(0))
# A refund costs nothing, and gives no fee back.
SALES: Mapping[str, Price] = MappingProxyType(
    {
        "stripe": Price(Decimal("0.029"), Decimal("0.30")),
        "paypal": Price(Decimal("0.0349"), Decimal("0.49")),
    }
)
PAYOUTS: Mapping[str, Price] = MappingProxyType({"paypal": Price(Decimal(0), Decimal("0.25"))})
# Adyen names three parts of a sale's price, and asks for each sale once more in a row of its own.
ADYEN_MARKUP = Decimal("0.006")
ADYEN_SCHEME_FEES = Decimal("0.0013")
ADYEN_INTERCHANGE = Decimal("0.002")
ADYEN_TRANSACTION = Decimal("0.11")


def fee_of(movement: Movement) -> int:
    """Tell what the PSP keeps of a movement, in its minor units; zero or above."""
    if movement.psp == "adyen":
        if movement.kind not in _SALES:
            return 0
        parts = adyen_parts(movement.amount, movement.currency)
        markup = _rounded(movement.amount * ADYEN_MARKUP, "adyen", movement.currency)
        return markup + sum(parts)
    price = _NONE
    if movement.kind in _SALES:
        price = SALES[movement.psp]
    elif movement.kind == "payout":
        price = PAYOUTS.get(movement.psp, _NONE)
    fixed = price.fixed.scaleb(decimals_of(movement.psp, movement.currency))
    fee = abs(movement.amount) * price.rate + fixed
    return _rounded(fee, movement.psp, movement.currency)


def adyen_parts(gross: int, currency: str) -> tuple[int, int]:
    """Tell Adyen's scheme fees and interchange of a sale, in minor units."""
    scheme_fees = _rounded(gross * ADYEN_SCHEME_FEES, "adyen", currency)
    return scheme_fees, _rounded(gross * ADYEN_INTERCHANGE, "adyen", currency)


def adyen_transactions(count: int, currency: str) -> int:
    """Tell what Adyen asks for so many sales together, in minor units."""
    amount = count * ADYEN_TRANSACTION.scaleb(decimals_of("adyen", currency))
    return _rounded(amount, "adyen", currency)


def _rounded(amount: Decimal, psp: str, currency: str) -> int:
    """Round minor units to what exists of the currency; a half goes to the even one."""
    step = _step(psp, currency)
    return int((amount / step).quantize(Decimal(1), ROUND_HALF_EVEN)) * step


@cache
def _step(psp: str, currency: str) -> int:
    """Tell the smallest amount: a PSP can count in minor units that a currency has not."""
    if psp == "stripe" and currency in _TENS:
        return 10
    return int(10 ** max(decimals_of(psp, currency) - currency_decimals(currency), 0))
