"""Adyen's hosted page: Pay by Link, docs.adyen.com/unified-commerce/pay-by-link, `/paymentLinks` of
Checkout v71. The link tells whether it is paid; by what payment, only the webhook AUTHORISATION.
"""

from datetime import datetime
from typing import Any

from psp_gateway.domain.answer import Verdict, alarm, unusable
from psp_gateway.domain.attempt import Attempt, Kind, Outcome
from psp_gateway.domain.hosted_page import Opened, PageRequest, Reply
from psp_gateway.domain.reasons import Reason
from psp_gateway.providers.adyen import mapping, units
from psp_gateway.providers.adyen.client import AdyenClient, Response, Result

_LINKS = "/paymentLinks"
_UNDER_WAY = frozenset({"completed", "paid", "paymentPending"})


class AdyenPages:
    """`ports.HostedPage` at Adyen.

    Args:
        client: open.
        merchant_account: whom the money is for.
    """

    def __init__(self, client: AdyenClient, *, merchant_account: str) -> None:
        self._client = client
        self._account = merchant_account

    async def open_page(self, attempt: Attempt, *, page: PageRequest, key: str) -> Reply:
        """See `ports.HostedPage.open_page`; Adyen has no way back but that of a paid link."""
        is_held = attempt.kind is Kind.AUTHORIZATION
        content: dict[str, Any] = {
            "merchantAccount": self._account,
            "amount": units.to_wire(attempt.amount),
            "reference": attempt.attempt_id,
            "returnUrl": page.success_url,
            "expiresAt": page.expires_at.isoformat(timespec="seconds"),
            "metadata": {"payment_id": attempt.payment_id, "client_id": attempt.client_id},
            # Said always: whether a charge is held must not hang on a setting of the account's.
            "manualCapture": is_held,
            **({} if is_held else {"captureDelayHours": 0}),
        }
        optional = {
            "description": page.description,
            "shopperEmail": page.buyer_email.reveal(),
            "shopperLocale": page.locale,
        }
        content |= {name: text for name, text in optional.items() if text}
        return _read(await self._client.post(_LINKS, content, key=key), attempt)

    async def read_page(self, attempt: Attempt) -> Reply:
        """See `ports.HostedPage.read_page`."""
        return _read(await self._client.get(f"{_LINKS}/{attempt.psp_reference}"), attempt)

    async def close_page(self, attempt: Attempt, *, key: str) -> Reply:
        """See `ports.HostedPage.close_page`; a link that is over says what became of it."""
        path = f"{_LINKS}/{attempt.psp_reference}"
        closed = _read(await self._client.patch(path, {"status": "expired"}), attempt)
        is_closed = isinstance(closed, Verdict) and closed.reason is Reason.PSP_CANCELLED
        return closed if is_closed else await self.read_page(attempt)


def _read(result: Result, attempt: Attempt) -> Reply:
    is_link = isinstance(result, Response) and result.status in (200, 201)
    if not isinstance(result, Response) or not is_link or result.body is None:
        return mapping.read_failure(result)
    body, trace = result.body, result.trace
    if body.get("reference") != attempt.attempt_id:
        return unusable(trace)
    if body.get("amount") != units.to_wire(attempt.amount):
        return alarm(trace, Reason.AMOUNT_MISMATCH)
    status = body.get("status")
    if status == "active":
        return _opened(body.get("id"), body.get("url"), body.get("expiresAt"), trace)
    if status == "expired":
        return Verdict(Outcome.DECLINED, reason=Reason.PSP_CANCELLED, trace=trace)
    if status in _UNDER_WAY:
        return Verdict(Outcome.PENDING, trace=trace)
    return unusable(trace)


def _opened(reference: object, url: object, until: object, trace: str) -> Reply:
    try:
        moment = datetime.fromisoformat(str(until))
    except ValueError:
        return unusable(trace)
    if not isinstance(reference, str) or not isinstance(url, str) or moment.tzinfo is None:
        return unusable(trace)
    return Opened(reference, url, moment, trace)
