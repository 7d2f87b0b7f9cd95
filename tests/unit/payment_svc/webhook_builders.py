"""Builders of what webhooks are about; every hidden default is harmless."""

from dataclasses import replace
from typing import Any

from payment_svc.domain.webhook_delivery import Delivery
from payment_svc.domain.webhook_endpoint import WebhookEvent
from payment_svc.domain.webhook_secret import SecretKeys, SecretName
from tests.builders import NOW

KEYS = SecretKeys((b"a key of the tests",))
NAME = SecretName(1, KEYS.newest)


def make_event(sequence: int = 1, object_id: str = "pay_1") -> WebhookEvent:
    """Make an event about a payment."""
    data = {"payment_id": object_id, "status": "COMPLETED", "amount": "99.99", "currency": "USD"}
    return WebhookEvent(object_id, sequence, "payment.completed", data, NOW)


def make_delivery(**changed: Any) -> Delivery:
    """Make a delivery that was claimed for the first time."""
    delivery = Delivery(
        delivery_id=1,
        epoch=1,
        endpoint_id="whe_1",
        client_id="demo",
        url="http://127.0.0.1:1/",
        is_wanted=True,
        secrets=(NAME,),
        event=make_event(),
        attempts=0,
        tries=0,
        since=NOW,
    )
    return replace(delivery, **changed)
