"""PayPal's face of a sandbox that this process serves: what is asked of it, and what it tells."""

from collections.abc import Mapping
from typing import Any

from devstack.sandbox.app import FACES
from devstack.sandbox.paypal.credentials import access_token
from devstack.sandbox.paypal.face import PayPalFace
from tests.unit.sandbox.served import Served

ORDERS = "/paypal/v2/checkout/orders"
WHOLE = {"Prefer": "return=representation"}
DAY_S = 86_400


def bearer(now: float) -> dict[str, str]:
    """The header of a token given out at a time."""
    return {"Authorization": f"Bearer {access_token(now)['access_token']}", **WHOLE}


def order(value: str = "10.00", currency: str = "EUR", **fields: object) -> dict[str, Any]:
    """A request of an order without a source."""
    unit = {
        "custom_id": "att_1",
        "invoice_id": "pay_1",
        "amount": {"currency_code": currency, "value": value},
    }
    urls = {"return_url": "https://shop.example/back?o=1", "cancel_url": "https://shop.example/no"}
    context = {"application_context": urls}
    return {"intent": "CAPTURE", "purchase_units": [unit], **context, **fields}


def vaulted(token: str, source: str = "paypal") -> dict[str, Any]:
    """A payment_source that was stored."""
    return {"payment_source": {source: {"vault_id": token}}}


async def made(paypal: Served, **fields: object) -> Any:
    """Create an order."""
    status, body, _ = await paypal.send("POST", ORDERS, order(**fields))  # type: ignore[arg-type]
    assert status == 201, body
    return body


async def pay(
    paypal: Served, token: str = "any", source: str = "paypal", key: str | None = None
) -> tuple[int, Any, Mapping[str, str]]:
    """Create an order and capture it with a stored source."""
    body = await made(paypal)
    headers = {"PayPal-Request-Id": key} if key else {}
    path = f"{ORDERS}/{body['id']}/capture"
    return await paypal.send("POST", path, vaulted(token, source), headers)


async def charged(paypal: Served, token: str = "any") -> str:
    """Take 10.00 EUR; give the capture's id."""
    _, body, _ = await pay(paypal, token)
    return str(body["purchase_units"][0]["payments"]["captures"][0]["id"])


async def held(paypal: Served, token: str = "any") -> str:
    """Hold 10.00 EUR; give the authorization's path."""
    body = await made(paypal, intent="AUTHORIZE")
    path = f"{ORDERS}/{body['id']}/authorize"
    _, body, _ = await paypal.send("POST", path, vaulted(token))
    authorization = body["purchase_units"][0]["payments"]["authorizations"][0]
    assert authorization["status"] == "CREATED"
    return f"/paypal/v2/payments/authorizations/{authorization['id']}"


def euros(value: str, currency: str = "EUR") -> dict[str, Any]:
    """A request of a part."""
    return {"amount": {"currency_code": currency, "value": value}}


def issue(body: Any) -> str:
    """The one issue of an error."""
    [detail] = body["details"]
    return str(detail["issue"])


def told(paypal: Served) -> list[str]:
    """Take the webhooks' types."""
    face = paypal.server.app[FACES]["paypal"]
    assert isinstance(face, PayPalFace)
    return [event.event_type for event in face.drain_events()]
