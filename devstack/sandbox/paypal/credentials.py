"""Access tokens: made for a client's id and secret, told by their own text, for nine hours."""

import base64
import binascii
import hashlib
import hmac

from devstack.sandbox.jsonwire.messages import Json

LASTS_S = 32_400
_PREFIX = "A21AA"
# Keeps slips apart from tokens that were given out; there is nothing to protect here.
_SEAL = b"sandbox"


def access_token(now: float) -> Json:
    """Make the answer of /v1/oauth2/token."""
    expires = f"{int(now) + LASTS_S:x}"
    return {
        "scope": "https://uri.paypal.com/services/payments",
        "access_token": f"{_PREFIX}{expires}.{_sealed(expires)}",
        "token_type": "Bearer",
        "app_id": "APP-80W284485P519543T",
        "expires_in": LASTS_S,
        "nonce": f"{int(now)}",
    }


def is_client(authorization: str) -> bool:
    """Tell whether a header shows an id and a secret, by Basic; any are good."""
    scheme, _, credentials = authorization.partition(" ")
    try:
        client, _, secret = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    return scheme.lower() == "basic" and bool(client) and bool(secret)


def is_bearer(authorization: str, now: float) -> bool:
    """Tell whether a header shows a token that was given out and has not expired."""
    scheme, _, token = authorization.partition(" ")
    expires, _, seal = token.removeprefix(_PREFIX).partition(".")
    if scheme.lower() != "bearer" or seal != _sealed(expires):
        return False
    return now < int(expires, 16)


def _sealed(text: str) -> str:
    return hmac.new(_SEAL, text.encode(), hashlib.sha256).hexdigest()[:24]
