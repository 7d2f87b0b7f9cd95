"""Webhooks from paymesh, verified as the Standard Webhooks specification has it
(https://www.standardwebhooks.com).
"""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

_PREFIX = "whsec_"
_TOLERANCE_S = 300


class InvalidWebhook(ValueError):
    """The request is not from paymesh, or is too old."""


def verify_webhook(
    headers: Mapping[str, str], body: bytes, secret: str, *, now: float | None = None
) -> dict[str, Any]:
    """Verify a webhook and read its event.

    Args:
        headers: of the request, in any case.
        body: as received, to the byte.
        secret: the endpoint's `whsec_…`.
        now: Unix seconds; the clock's when absent.

    Raises:
        InvalidWebhook: no signature fits, there is no secret, or it is more than five minutes old
            or ahead.
    """
    told = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, timestamp = told["webhook-id"], told["webhook-timestamp"]
        given = told["webhook-signature"].split()
        age = (time.time() if now is None else now) - float(int(timestamp))
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (KeyError, ValueError, OverflowError, binascii.Error) as error:
        raise InvalidWebhook(f"cannot be read: {error!r}") from error
    if not key:  # with an empty one anybody can sign
        raise InvalidWebhook("there is no secret to verify with")
    if abs(age) > _TOLERANCE_S:
        raise InvalidWebhook(f"signed {age:.0f} s ago")
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    if not any(hmac.compare_digest(expected, one.encode()) for one in given):
        raise InvalidWebhook("no signature fits")
    event: dict[str, Any] = json.loads(body)
    return event
