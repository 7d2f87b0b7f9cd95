"""Signs requests as a caller does, from the words of the interface alone."""

import hashlib
import hmac
import time
from uuid import uuid4


def signed(
    secret: str,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    key: str = "",
    nonce: str | None = None,
    at: float | None = None,
) -> dict[str, str]:
    """Make the headers of a signed request; `path` has the query, `at` is Unix time."""
    timestamp = str(int(time.time() if at is None else at))
    nonce = uuid4().hex if nonce is None else nonce
    digest = hashlib.sha256(body).hexdigest()
    lines = f"{method}\n{path}\n{timestamp}\n{nonce}\n{key}\n{digest}"
    signature = hmac.new(secret.encode(), lines.encode(), hashlib.sha256).hexdigest()
    headers = {
        "x-paymesh-timestamp": timestamp,
        "x-paymesh-nonce": nonce,
        "x-paymesh-signature": signature,
    }
    return {**headers, "idempotency-key": key} if key else headers
