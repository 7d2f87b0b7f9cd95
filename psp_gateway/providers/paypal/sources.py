"""What a payment token means at PayPal, and where a buyer comes back to.

See `payment_source` of the published Orders v2.
"""

import re
from dataclasses import dataclass
from typing import Any

from psp_gateway.domain.attempt import Attempt
from psp_gateway.return_address import with_attempt

APPROVAL = "approval"  # nothing is stored: the buyer agrees on PayPal's page

_CARD = "card:"
# The id of a billing agreement; PayPal's vault writes ids of its own.
_AGREEMENT = re.compile(r"B-[0-9A-Z]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Pages:
    """Where a buyer comes back to.

    Args:
        return_url: when he has agreed; empty for nowhere.
        cancel_url: when he has not; empty for the same.
    """

    return_url: str = ""
    cancel_url: str = ""

    def experience(self, attempt: Attempt) -> dict[str, Any]:
        """Tell PayPal of them: whoever serves them learns by the query which charge it is."""
        if not self.return_url:
            return {}
        cancel_url = self.cancel_url or self.return_url
        urls = {
            "return_url": with_attempt(self.return_url, attempt),
            "cancel_url": with_attempt(cancel_url, attempt),
        }
        return {"experience_context": urls}


def waits_for_buyer(token: str, pages: Pages, attempt: Attempt) -> dict[str, Any]:
    """Write what a new order says of its buyer: nothing unless he is to agree at PayPal."""
    if token != APPROVAL:
        return {}
    experience = pages.experience(attempt).get("experience_context", {})
    context = {**experience, "user_action": "PAY_NOW"}
    return {"payment_source": {"paypal": {"experience_context": context}}}


def source_of(token: str, pages: Pages, attempt: Attempt) -> dict[str, Any]:
    """Write what pays an order."""
    if token.startswith(_CARD):
        card = {"vault_id": token.removeprefix(_CARD), **pages.experience(attempt)}
        return {"payment_source": {"card": card}}
    if _AGREEMENT.fullmatch(token):
        return {"payment_source": {"token": {"id": token, "type": "BILLING_AGREEMENT"}}}
    wallet = {"vault_id": token, **pages.experience(attempt)}
    return {"payment_source": {"paypal": wallet}}
