"""A checkout session: a payment whose buyer says how to pay on a page of the PSP's own."""

from dataclasses import dataclass
from datetime import datetime, timedelta

# The PSPs' own bounds, Stripe's being the narrowest (half an hour to a day from when the page is
# opened: docs.stripe.com/api/checkout/sessions/create), less the time until it is.
LIFE_MIN = timedelta(minutes=35)
LIFE_MAX = timedelta(hours=23)
LIFE_USUAL = timedelta(hours=1)

_SESSION, _PAYMENT = "cks_", "pay_"


@dataclass(frozen=True, slots=True)
class CheckoutPage:
    """How the page of a payment is to be.

    Attributes:
        success_url: where the buyer is sent when he has paid.
        cancel_url: where he is sent when he turns back.
        expires_at: when the page closes.
        preferred_psp: whose page the client would rather have; empty for any.
        description: what the buyer reads that he pays for; empty for the PSP's own words.
        locale: his language, an IETF tag; empty: the PSP guesses.
    """

    success_url: str
    cancel_url: str
    expires_at: datetime
    preferred_psp: str = ""
    description: str = ""
    locale: str = ""


def session_of(payment_id: str) -> str:
    """Name the checkout session of a payment."""
    return _SESSION + payment_id.removeprefix(_PAYMENT)


def payment_of(session_id: str) -> str:
    """Name the payment of a checkout session."""
    return _PAYMENT + session_id.removeprefix(_SESSION)
