"""Adyen's face of a sandbox that this process serves: what is asked of it, and what it tells."""

from typing import Any, cast

from devstack.sandbox.adyen.face import AdyenFace
from devstack.sandbox.app import FACES
from devstack.sandbox.jsonwire.messages import Event
from tests.unit.sandbox.served import Served

CREDENTIALS = {"X-API-Key": "test_key"}
PAYMENTS = "/adyen/v71/payments"
ORDER: dict[str, Any] = {
    "merchantAccount": "Shop",
    "reference": "att_1",
    "amount": {"value": 1000, "currency": "EUR"},
    "paymentMethod": {"type": "scheme", "storedPaymentMethodId": "any"},
    "returnUrl": "https://shop.example/back?order=1",
    "metadata": {"payment_id": "pay_1"},
}


def order(token: str = "any", **fields: object) -> dict[str, Any]:
    """A request of /payments."""
    return {**ORDER, "paymentMethod": {"storedPaymentMethodId": token}, **fields}


async def pay(adyen: Served, token: str = "any", **fields: object) -> Any:
    """Make a payment that is answered 200."""
    status, body, _ = await adyen.send("POST", PAYMENTS, order(token, **fields))
    assert status == 200, body
    return body


async def held(adyen: Served, token: str = "any") -> str:
    """Authorise a payment to be captured by request; give its pspReference."""
    body = await pay(adyen, token, additionalData={"manualCapture": "true"})
    return cast(str, body["pspReference"])


async def modify(adyen: Served, payment: str, what: str, value: int = 1000) -> Any:
    """Ask for a modification that is taken in, and let it be carried out."""
    request = {
        "merchantAccount": "Shop",
        "reference": f"{what}_1",
        "amount": {"value": value, "currency": "EUR"},
    }
    status, body, _ = await adyen.send("POST", f"{PAYMENTS}/{payment}/{what}", request)
    assert (status, body["status"]) == (201, "received")
    await adyen.advance(1)
    return body


def events(adyen: Served) -> list[Event]:
    """Take the webhooks of Adyen's face."""
    return face(adyen).drain_events()


def face(adyen: Served) -> AdyenFace:
    """Find the face behind the routes."""
    found = adyen.server.app[FACES]["adyen"]
    assert isinstance(found, AdyenFace)
    return found


def told(adyen: Served) -> list[tuple[str, str]]:
    """Take the webhooks' codes and whether they tell a success."""
    items = [e.body["notificationItems"][0]["NotificationRequestItem"] for e in events(adyen)]
    return [(item["eventCode"], item["success"]) for item in items]
