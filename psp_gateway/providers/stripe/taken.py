"""What a PaymentIntent says that it has taken, or holds, whatever was asked for; pure and total."""

from collections.abc import Mapping
from typing import Any

from chassis.money import Money
from psp_gateway.providers.stripe.units import Inexpressible, to_money

_NOTHING = frozenset({"requires_confirmation", "requires_payment_method", "canceled"})
# By status, the field that tells.
_TELLS = {"succeeded": "amount_received", "requires_capture": "amount_capturable"}


def taken_of(intent: Mapping[str, Any]) -> Money | None:
    """Tell what is taken or held now, zero if nothing is; None where it is not decided yet, or
    cannot be read.
    """
    status, currency = intent.get("status"), intent.get("currency")
    if not isinstance(status, str) or not isinstance(currency, str):
        return None
    name = _TELLS.get(status)
    minor = 0 if status in _NOTHING else None
    if name is not None:
        minor = intent.get(name, intent.get("amount"))
    if type(minor) is not int or minor < 0:
        return None
    try:
        return to_money(minor, currency.upper())
    except Inexpressible:
        return None
