"""Signed requests: what is signed, and what is wrong with a signature.

Signed is METHOD, PATH?QUERY, TIMESTAMP, NONCE, IDEMPOTENCY-KEY and the body's SHA-256 in hex,
joined by line feeds. For native gRPC the method is POST, the path `/package.Service/Method` and the
body the message without its frame.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime

from edge_auth.domain import errors
from edge_auth.domain.credentials import Secret
from edge_auth.domain.edge_request import EdgeRequest
from edge_auth.domain.errors import Denial

TIMESTAMP, NONCE, SIGNATURE = "x-paymesh-timestamp", "x-paymesh-nonce", "x-paymesh-signature"
HEADERS = (TIMESTAMP, NONCE, SIGNATURE)
IDEMPOTENCY_KEY = "idempotency-key"
WINDOW_S = 300
# A nonce is remembered for as long as its timestamp may pass: from one end of the window to the
# other, and a little, since clocks differ.
NONCE_REMEMBERED_S = 2 * WINDOW_S + 30
_TIMESTAMP_FORM = re.compile(r"[0-9]{1,12}", re.ASCII)
_NONCE_FORM = re.compile(r"[A-Za-z0-9._~+/=:-]{1,128}", re.ASCII)
_SIGNATURE_FORM = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)
_FRAME_BYTES = 5


def is_signed(request: EdgeRequest) -> bool:
    """Tell whether a request says that it is signed."""
    return any(name in request.headers for name in HEADERS)


def canonical(
    method: str, path: str, timestamp: str, nonce: str, idempotency_key: str, body: bytes
) -> bytes:
    """Write what is signed. `path` has the query when there is one, as sent."""
    digest = hashlib.sha256(body).hexdigest()
    return "\n".join((method, path, timestamp, nonce, idempotency_key, digest)).encode()


def sign(secret: str, text: bytes) -> str:
    """Sign: hex of HMAC-SHA256 under the secret's UTF-8 bytes."""
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def canonical_of(request: EdgeRequest) -> bytes:
    """Write what the sender of a request should have signed."""
    told = request.headers
    body = request.body[_FRAME_BYTES:] if request.is_grpc else request.body
    return canonical(
        request.method,
        request.path,
        told.get(TIMESTAMP, ""),
        told.get(NONCE, ""),
        told.get(IDEMPOTENCY_KEY, ""),
        body,
    )


def check_signature(
    request: EdgeRequest, secrets: Sequence[Secret], now: datetime
) -> Denial | None:
    """Tell what is wrong with a signature, first of all; None: nothing but perhaps its nonce.

    Each live secret is compared in constant time, whichever fits.
    """
    malformed = _check_form(request)
    if malformed is not None:
        return malformed
    ahead_s = int(request.headers[TIMESTAMP]) - int(now.timestamp())
    if abs(ahead_s) > WINDOW_S:
        return errors.timestamp_out_of_window(ahead_s, WINDOW_S)
    text = canonical_of(request)
    told = request.headers[SIGNATURE].lower()
    live = [secret for secret in secrets if secret.expires_at is None or now < secret.expires_at]
    fits = [hmac.compare_digest(sign(secret.value, text), told) for secret in live]
    if not any(fits):
        body_digest = text.rpartition(b"\n")[2].decode()
        return errors.signature_invalid(hashlib.sha256(text).hexdigest(), body_digest)
    return None


def _check_form(request: EdgeRequest) -> Denial | None:
    told = request.headers
    for name in HEADERS:
        if not told.get(name):
            return errors.signature_missing(name)
    if not _TIMESTAMP_FORM.fullmatch(told[TIMESTAMP]):
        return errors.timestamp_invalid(TIMESTAMP)
    if not _NONCE_FORM.fullmatch(told[NONCE]):
        return errors.nonce_invalid(NONCE)
    if not _SIGNATURE_FORM.fullmatch(told[SIGNATURE]):
        return errors.signature_malformed(SIGNATURE)
    return None
