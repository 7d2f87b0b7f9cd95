"""PayPal scripted: its tokens, its orders as JSON, and a client that is sent there."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from psp_gateway.providers.paypal.client import PayPalClient
from tests.unit.psp_gateway.wire import Request, Script, Wire, answer

CLIENT_ID = "client-id"
SECRET = "EF-canary-secret"  # pragma: allowlist secret
TOKEN_LINE = "POST /v1/oauth2/token HTTP/1.1"
LIFETIME_S = 32_400


def token(text: str = "A21-one", **fields: Any) -> bytes:
    """Write the answer to a fetch."""
    return answer(
        {"access_token": text, "token_type": "Bearer", "expires_in": LIFETIME_S, **fields}
    )


def counted_tokens() -> Callable[[], bytes]:
    """Write answers to fetches: A21-1, A21-2, …"""
    texts = (f"A21-{number}" for number in range(1, 100))
    return lambda: token(next(texts))


def script_of(call: Script, fetch: Callable[[], bytes] = token) -> Script:
    """Answer fetches of a token and calls, each their own way."""
    return lambda request: fetch() if request.line == TOKEN_LINE else call(request)


def calls_of(wire: Wire) -> list[Request]:
    """List what was sent, but for the fetches."""
    return [request for request in wire.requests if request.line != TOKEN_LINE]


@asynccontextmanager
async def opened(api_base: str, **timeouts: float) -> AsyncIterator[PayPalClient]:
    """Open a client; close it with the block."""
    client = PayPalClient(api_base, CLIENT_ID, SECRET, **{"timeout_s": 30.0, **timeouts})
    await client.open()
    try:
        yield client
    finally:
        await client.close()


def money(value: str = "99.99", currency: str = "USD") -> dict[str, str]:
    """Make an amount."""
    return {"currency_code": currency, "value": value}


def payment(**fields: Any) -> dict[str, Any]:
    """Make a capture that was taken."""
    return {
        "id": "3C6",
        "status": "COMPLETED",
        "amount": money(),
        "custom_id": "att_1",
        "invoice_id": "att_1",
        **fields,
    }


def order(*, unit: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Make an order that nobody has paid; what is paid of it is in `unit`'s payments."""
    made = {
        "reference_id": "default",
        "amount": money(),
        "custom_id": "att_1",
        "invoice_id": "att_1",
        **(unit or {}),
    }
    return {
        "id": "5O1",
        "intent": "CAPTURE",
        "status": "CREATED",
        "purchase_units": [made],
        **fields,
    }


def paid(**fields: Any) -> dict[str, Any]:
    """Make an order whose one capture has these fields."""
    return order(status="COMPLETED", unit={"payments": {"captures": [payment(**fields)]}})


def held(*captures: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Make an order whose one authorization has these fields, and what was captured of it."""
    authorization = payment(**{"id": "0VF", "status": "CREATED", **fields})
    payments = {"authorizations": [authorization], "captures": list(captures)}
    return order(intent="AUTHORIZE", status="COMPLETED", unit={"payments": payments})


def error(name: str, *issues: str, **fields: Any) -> dict[str, Any]:
    """Make an error as PayPal tells it."""
    details = [
        {"issue": issue, "description": "The card tok_canary was refused."} for issue in issues
    ]
    return {
        "name": name,
        "message": "tok_canary",
        "debug_id": "90957",
        "details": details,
        **fields,
    }


def page(url: str, rel: str = "payer-action") -> list[dict[str, str]]:
    """Make the links of what its buyer is to approve."""
    return [{"href": "https://api.example/v2", "rel": "self"}, {"href": url, "rel": rel}]
