"""The sandbox signs as the PSPs do: their own libraries and published signatures say so."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe

from devstack.sandbox.signing import (
    adyen_body_signature,
    adyen_signature,
    new_paypal_identity,
    paypal_headers,
    stripe_signature,
)
from psp_gateway.domain.errors import BadSignature
from psp_gateway.providers.adyen.webhooks import AdyenWebhooks
from psp_gateway.providers.paypal.webhooks import PayPalWebhooks
from psp_gateway.providers.stripe.webhooks import StripeWebhooks
from tests.unit.psp_gateway.vectors.adyen import BODIES, ITEMS

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECRET = "whsec_test"  # pragma: allowlist secret
BODY = json.dumps(
    {"id": "evt_1", "object": "event", "type": "payout.paid", "data": {"object": {"id": "po_1"}}}
).encode()


def test_stripe_takes_its_own() -> None:
    """Stripe's library, and our reader, take what is signed like Stripe."""
    now = datetime.now(UTC)
    header = stripe_signature(SECRET, BODY, now)

    told = stripe.Webhook.construct_event(BODY, header, SECRET)
    (read,) = StripeWebhooks([SECRET]).read_webhook({"stripe-signature": header}, BODY, now=now)

    assert (told.id, told.type) == (read.event_id, read.event_type) == ("evt_1", "payout.paid")


def test_stripe_and_we_refuse_alike() -> None:
    """Both refuse another body, another secret, and a signature that is too old."""
    now = datetime.now(UTC)
    header = stripe_signature(SECRET, BODY, now)
    old = stripe_signature(SECRET, BODY, now - timedelta(seconds=320))

    for body, written, secret in (
        (BODY + b" ", header, SECRET),
        (BODY, header, SECRET + "x"),
        (BODY, old, SECRET),
    ):
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(body, written, secret)
        with pytest.raises(BadSignature):
            StripeWebhooks([secret]).read_webhook({"stripe-signature": written}, body, now=now)


@pytest.mark.parametrize(("name", "key", "item", "mac"), ITEMS)
def test_adyens_published_items(name: str, key: str, item: dict[str, Any], mac: str) -> None:
    """The signatures that Adyen's libraries publish come out; `success` is text there."""
    written = {**item, "success": "true"}

    assert adyen_signature(key, written) == mac
    body = {"notificationItems": [_wrapped({**written, "additionalData": _signed(mac)})]}
    assert AdyenWebhooks([key]).read_webhook({}, json.dumps(body).encode(), now=NOW)


@pytest.mark.parametrize(("name", "key", "body", "mac"), BODIES)
def test_adyens_published_bodies(name: str, key: str, body: bytes, mac: str) -> None:
    """So do those over the raw body."""
    assert adyen_body_signature(key, body) == mac
    assert AdyenWebhooks([key]).read_webhook({"hmacsignature": mac}, body, now=NOW)


def test_paypal() -> None:
    """Our reader, which takes what PayPal itself has signed, takes what is signed like PayPal."""
    identity = new_paypal_identity(NOW)
    body = b'{"id":"WH-1","event_type":"PAYMENT.CAPTURE.COMPLETED","resource":{}}'
    headers = paypal_headers(
        identity.key,
        webhook_id="4JH86294D6297924G",
        certificate_url="http://127.0.0.1:8420/paypal/certs/1",
        transmission_id="071f7d20-1584-11e7-abf0-6b62a8a99ac4",
        body=body,
        at=NOW,
    )
    hooks = PayPalWebhooks(
        "4JH86294D6297924G",
        lambda _: identity.certificate,
        origins={"http://127.0.0.1:8420": "messageverificationcerts.sandbox.paypal.com"},
        roots=identity.root,
    )

    lowered = {name.lower(): value for name, value in headers.items()}
    (read,) = hooks.read_webhook(lowered, body, now=NOW)

    assert read.event_type == "PAYMENT.CAPTURE.COMPLETED"
    assert "PRIVATE" not in repr(identity)


def _wrapped(item: dict[str, Any]) -> dict[str, Any]:
    return {"NotificationRequestItem": item}


def _signed(mac: str) -> dict[str, str]:
    return {"hmacSignature": mac}
