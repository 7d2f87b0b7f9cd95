"""A page of the PSP's own, on which the buyer says how to pay: card data never touches us."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from privacy.masked import Personal
from psp_gateway.domain.answer import Answer

# A page may be paid in its last moment, and clocks differ.
PAGE_GRACE = timedelta(minutes=1)


_NOBODY = Personal("")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """How a page is to be.

    Attributes:
        success_url: where the buyer is sent when he has paid.
        cancel_url: where he is sent when he turns back.
        expires_at: when the page is to close.
        description: what the buyer reads that he pays for; empty for the PSP's own words.
        locale: the buyer's language, an IETF tag; empty: the PSP guesses.
        buyer_email: filled in for him; empty for none.
    """

    success_url: str
    cancel_url: str
    expires_at: datetime
    description: str = ""
    locale: str = ""
    buyer_email: Personal[str] = _NOBODY


@dataclass(frozen=True, slots=True)
class Opened:
    """The page is there, and waits for its buyer.

    Attributes:
        reference: the PSP's id of the page.
        url: where to send the buyer.
        expires_at: when the PSP closes it.
        trace: the status and the PSP's own id of the exchange.
    """

    reference: str
    url: str
    expires_at: datetime
    trace: str = ""


Reply = Answer | Opened
