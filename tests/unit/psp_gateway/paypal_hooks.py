"""PayPal's webhooks as PayPal would sign them, and how they are read."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from devstack.sandbox.signing import PayPalIdentity, new_paypal_identity, paypal_headers
from psp_gateway.domain.psp_event import PspEvent
from psp_gateway.providers.paypal.webhooks import PayPalWebhooks

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WEBHOOK_ID = "4JH86294D6297924G"
URL = "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42"
BODY = b'{"id":"WH-1","event_type":"BILLING.PLAN.CREATED"}'


@cache
def identity() -> PayPalIdentity:
    """Make an authority and a certificate once, valid from ten days ago on."""
    return new_paypal_identity(NOW - timedelta(days=9))


def headers_of(
    body: bytes, *, at: datetime = NOW, by: PayPalIdentity | None = None, **changes: str
) -> dict[str, str]:
    """Sign a transmission of now, then change its headers."""
    made = paypal_headers(
        (by or identity()).key,
        webhook_id=WEBHOOK_ID,
        certificate_url=URL,
        transmission_id="071f7d20-1584-11e7-abf0-6b62a8a99ac4",
        body=body,
        at=at,
    )
    changed = {f"paypal-{name.replace('_', '-')}": value for name, value in changes.items()}
    return {name.lower(): value for name, value in made.items()} | changed


def new_hooks(certificate: bytes | None = None, **options: Any) -> PayPalWebhooks:
    """Make a reader that trusts the authority above."""
    pem = identity().certificate if certificate is None else certificate
    return PayPalWebhooks(WEBHOOK_ID, lambda _: pem, roots=identity().root, **options)


def read(body: bytes) -> PspEvent:
    """Read a webhook that is rightly signed."""
    (found,) = new_hooks().read_webhook(headers_of(body), body, now=NOW)
    return found
