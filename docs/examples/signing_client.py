"""Sign requests with nothing but the standard library."""

import hashlib
import hmac
import json
import os
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

EDGE, KEY, SECRET = (os.environ[f"PAYMESH_{name}"] for name in ("EDGE", "KEY", "SECRET"))
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def signature(method: str, path: str, body: bytes, key: str) -> Mapping[str, str]:
    """Make the headers that sign a request; `path` has the query, `key` may be empty."""
    timestamp, nonce = str(int(time.time())), secrets.token_urlsafe(24)
    digest = hashlib.sha256(body).hexdigest()
    text = "\n".join([method, path, timestamp, nonce, key, digest])
    signed = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
    return {
        "X-Paymesh-Timestamp": timestamp,
        "X-Paymesh-Nonce": nonce,
        "X-Paymesh-Signature": signed,
    }


def call(method: str, path: str, request: Any = None, key: str = "") -> Mapping[str, Any]:
    """Send a signed request. The bytes that are signed are the bytes that are sent."""
    body = b"" if request is None else json.dumps(request).encode()
    headers = {"Authorization": f"Bearer {KEY}", **signature(method, path, body, key)}
    if request is not None:
        headers |= {"Content-Type": "application/json", "Idempotency-Key": key}
    url = EDGE + path
    told = urllib.request.Request(url, body or None, headers, method=method)  # noqa: S310 - ours
    try:
        with DIRECT.open(told, timeout=30) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as refused:
        return dict(json.load(refused))


ORDER = os.environ.get("ORDER_ID", "order_789")
payment = call(
    "POST",
    "/v1/payments",
    {
        "buyer_info": {"id": "buyer_123", "email": "buyer@example.com"},
        "checkout_id": "checkout_abc",
        "credit_card_info": {"token": "psp_card_token_xyz"},
        "payment_orders": [
            {
                "seller_account": "seller_456",
                "amount": "99.99",
                "currency": "USD",
                "payment_order_id": ORDER,
            }
        ],
    },
    key=ORDER,
)
print(payment["payment_id"], payment["status"])
print(call("GET", f"/v1/payments/{payment['payment_id']}")["payment_id"], "read, signed as well")
