"""Stripe's hosted page: a Checkout Session, docs.stripe.com/api/checkout/sessions.

The PaymentIntent is made by Stripe when the buyer pays, and is what refunds and captures go by.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from psp_gateway.domain.answer import Created, Verdict, alarm, unusable
from psp_gateway.domain.attempt import Attempt, Kind, Outcome
from psp_gateway.domain.hosted_page import Opened, PageRequest, Reply
from psp_gateway.domain.reasons import Reason
from psp_gateway.providers.stripe import mapping, units
from psp_gateway.providers.stripe.client import Response, Result, StripeClient

_SESSIONS = "/checkout/sessions"
# docs.stripe.com/api/checkout/sessions/create#create_checkout_session-locale
_LOCALES = frozenset({
    "bg", "cs", "da", "de", "el", "en", "en-GB", "es", "es-419", "et", "fi", "fil", "fr", "fr-CA",
    "hr", "hu", "id", "it", "ja", "ko", "lt", "lv", "ms", "mt", "nb", "nl", "pl", "pt", "pt-BR",
    "ro", "ru", "sk", "sl", "sv", "th", "tr", "vi", "zh", "zh-HK", "zh-TW",
})  # fmt: skip


class StripePages:
    """`ports.HostedPage` at Stripe; `client` is open."""

    def __init__(self, client: StripeClient) -> None:
        self._client = client

    async def open_page(self, attempt: Attempt, *, page: PageRequest, key: str) -> Reply:
        """See `ports.HostedPage.open_page`."""
        result = await self._client.post(_SESSIONS, _fields(attempt, page), key=key)
        return _read_session(result, attempt)

    async def read_page(self, attempt: Attempt) -> Reply:
        """See `ports.HostedPage.read_page`; once it is paid, the PaymentIntent is asked."""
        result = await self._client.get(f"{_SESSIONS}/{attempt.psp_reference}")
        read = _read_session(result, attempt)
        if not isinstance(read, Created):
            return read
        paid = replace(attempt, psp_reference=read.reference)
        expansion = {"expand": ["latest_charge"]} if attempt.kind is Kind.AUTHORIZATION else {}
        result = await self._client.get(f"/payment_intents/{read.reference}", expansion)
        answer = mapping.read_charge(result, paid)
        # A page that is complete has been confirmed: anything else is not to be understood.
        return answer if isinstance(answer, Verdict) else unusable(read.trace)

    async def close_page(self, attempt: Attempt, *, key: str) -> Reply:
        """See `ports.HostedPage.close_page`; one that is over already says what became of it."""
        result = await self._client.post(f"{_SESSIONS}/{attempt.psp_reference}/expire", {}, key=key)
        read = _read_session(result, attempt)
        is_closed = isinstance(read, Verdict) and read.reason is Reason.PSP_CANCELLED
        return read if is_closed else await self.read_page(attempt)


def _fields(attempt: Attempt, page: PageRequest) -> dict[str, Any]:
    metadata = {
        "payment_id": attempt.payment_id,
        "attempt_id": attempt.attempt_id,
        "client_id": attempt.client_id,
    }
    price = {
        "currency": attempt.amount.currency.lower(),
        "unit_amount": units.to_minor(attempt.amount),
        "product_data": {"name": page.description or "Order"},
    }
    is_held = attempt.kind is Kind.AUTHORIZATION
    fields = {
        "mode": "payment",
        "line_items": [{"quantity": 1, "price_data": price}],
        "success_url": page.success_url,
        "cancel_url": page.cancel_url,
        "client_reference_id": attempt.attempt_id,
        "metadata": metadata,
        "payment_intent_data": {
            "metadata": metadata,
            "capture_method": "manual" if is_held else "automatic",
        },
        "expires_at": int(page.expires_at.timestamp()),
        **mapping.several(attempt),
    }
    if page.buyer_email:
        fields["customer_email"] = page.buyer_email.reveal()
    return {**fields, **_locale(page.locale)}


def _locale(asked: str) -> dict[str, str]:
    """Tell the language, if it is one of Stripe's; else Stripe guesses."""
    language = asked.partition("-")[0]
    known = next((each for each in (asked, language) if each in _LOCALES), "")
    return {"locale": known} if known else {}


def _read_session(result: Result, attempt: Attempt) -> Reply:
    """Read a session: Created with the PaymentIntent's id once it is complete."""
    body = result.body if isinstance(result, Response) and result.status == 200 else None
    if not isinstance(result, Response) or body is None:
        return mapping.read_failure(result)
    if body.get("object") != "checkout.session":
        return unusable(result.trace)
    agrees = (
        body.get("client_reference_id") == attempt.attempt_id,
        body.get("amount_total") == units.to_minor(attempt.amount),
        body.get("currency") == attempt.amount.currency.lower(),
    )
    if not all(agrees):
        return alarm(result.trace, Reason.AMOUNT_MISMATCH)
    return _session(body, result.trace)


def _session(body: Mapping[str, Any], trace: str) -> Reply:
    reference, url, until = (body.get(name) for name in ("id", "url", "expires_at"))
    match body.get("status"):
        case "open" if isinstance(reference, str) and isinstance(url, str) and _is_moment(until):
            return Opened(reference, url, datetime.fromtimestamp(int(until or 0), UTC), trace)
        case "complete" if isinstance(intent := body.get("payment_intent"), str):
            return Created(intent, trace)
        case "expired":
            return Verdict(Outcome.DECLINED, reason=Reason.PSP_CANCELLED, trace=trace)
        case _:
            return unusable(trace)


def _is_moment(seconds: object) -> bool:
    return isinstance(seconds, int) and 0 < seconds < 2**37
