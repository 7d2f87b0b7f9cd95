"""Signed requests: a hash over what is asked, by whom only the client and paymesh can make it."""

import hashlib
import hmac


def signature(
    secret: str,
    *,
    method: str,
    path: str,
    timestamp: int,
    nonce: str,
    idempotency_key: str,
    body: bytes,
) -> str:
    """Sign a request: hex HMAC-SHA256, with the secret's UTF-8 bytes as the key.

    Args:
        secret: of the client.
        method: the verb; POST for native gRPC.
        path: with `?` and the query, when there is one, as sent; for native gRPC
            `/package.Service/Method`.
        timestamp: Unix seconds.
        nonce: never used before.
        idempotency_key: empty for a read.
        body: as sent; for native gRPC the message without its 5-byte frame.
    """
    digest = hashlib.sha256(body).hexdigest()
    text = "\n".join([method, path, str(timestamp), nonce, idempotency_key, digest])
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
