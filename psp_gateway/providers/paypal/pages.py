"""PayPal's hosted page: an order that its buyer approves, developer.paypal.com/docs/api/orders/v2.

An approval moves no money: the gateway captures what was approved, or lets it be. So a page is
closed by leaving it alone, once PayPal has said that it is not approved.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from psp_gateway.domain.answer import Created, Verdict, unusable
from psp_gateway.domain.attempt import Attempt, Kind, Outcome
from psp_gateway.domain.hosted_page import Opened, PageRequest, Reply
from psp_gateway.domain.reasons import Reason
from psp_gateway.providers.paypal import mapping, units
from psp_gateway.providers.paypal.client import PayPalClient, Result

_ORDERS = "/v2/checkout/orders"
_DESCRIPTION_MAX = 127
_LANGUAGE_LENGTH = 2  # PayPal's pattern has no languages of three letters


class PayPalPages:
    """`ports.HostedPage` at PayPal; `client` is open."""

    def __init__(self, client: PayPalClient) -> None:
        self._client = client

    async def open_page(self, attempt: Attempt, *, page: PageRequest, key: str) -> Reply:
        """See `ports.HostedPage.open_page`."""
        result = await self._client.post(_ORDERS, _order(attempt, page), key=key)
        made = mapping.read_created(result, attempt)
        if isinstance(made, Created):
            own = replace(attempt, psp_reference=made.reference)
            return _read(result, own, page.expires_at)
        return made

    async def read_page(self, attempt: Attempt) -> Reply:
        """See `ports.HostedPage.read_page`; Created once the buyer has approved."""
        result = await self._client.get(f"{_ORDERS}/{attempt.psp_reference}")
        until = attempt.page_expires_at or attempt.created_at
        return _read(result, attempt, until)

    async def close_page(self, attempt: Attempt, *, key: str) -> Reply:
        """See `ports.HostedPage.close_page`."""
        read = await self.read_page(attempt)
        if not isinstance(read, Opened):
            return read
        return Verdict(Outcome.DECLINED, reason=Reason.PSP_CANCELLED, trace=read.trace)


def _order(attempt: Attempt, page: PageRequest) -> dict[str, Any]:
    unit = {
        "reference_id": "default",
        "custom_id": attempt.attempt_id,
        "invoice_id": attempt.attempt_id,
        "amount": units.to_wire(attempt.amount),
    }
    if page.description:
        unit["description"] = page.description[:_DESCRIPTION_MAX]
    context = {
        "return_url": page.success_url,
        "cancel_url": page.cancel_url,
        "user_action": "PAY_NOW",
    }
    if len(page.locale.partition("-")[0]) == _LANGUAGE_LENGTH:
        context["locale"] = page.locale
    is_held = attempt.kind is Kind.AUTHORIZATION
    return {
        "intent": "AUTHORIZE" if is_held else "CAPTURE",
        "purchase_units": [unit],
        "payment_source": {"paypal": {"experience_context": context}},
    }


def _read(result: Result, attempt: Attempt, until: datetime) -> Reply:
    """Read an order: Opened while it waits for its buyer. PayPal does not say until when."""
    answer = mapping.look_at_approval(result, attempt)
    if not isinstance(answer, Verdict) or answer.outcome is not Outcome.ACTION_REQUIRED:
        return answer
    if not answer.redirect_url:
        return unusable(answer.trace)
    return Opened(attempt.psp_reference, answer.redirect_url, until, answer.trace)
