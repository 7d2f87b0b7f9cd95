"""Adyen's webhooks as Adyen would write and sign them, and how they are read."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from psp_gateway.domain.psp_event import PspEvent
from psp_gateway.providers.adyen import signature
from psp_gateway.providers.adyen.webhooks import AdyenWebhooks

KEY = "00112233445566778899aabbccddeeff"  # pragma: allowlist secret
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ATTEMPT = "att_01ja3tq9"
CODES = (Path(__file__).parent / "vectors/adyen_event_codes.txt").read_text().split()
TRANSFER = {
    "type": "balancePlatform.transfer.updated",
    "timestamp": "2023-02-28T13:27:05+02:00",
    "data": {
        "id": "2WT1N05XXY7P9XH9",
        "category": "bank",
        "direction": "outgoing",
        "amount": {"currency": "EUR", "value": 1000},
        "reference": ATTEMPT,
        "sequenceNumber": 2,
        "status": "booked",
    },
}


def new_item(code: str = "AUTHORISATION", success: Any = "true", **fields: Any) -> dict[str, Any]:
    """Make an item that is not signed yet."""
    return {
        "amount": {"currency": "EUR", "value": 9999},
        "eventCode": code,
        "eventDate": "2026-11-23T12:59:59+01:00",
        "merchantAccountCode": "Shop",
        "merchantReference": ATTEMPT,
        "pspReference": "QFQTPCQ8HXSKGK82",
        "success": success,
        **fields,
    }


def signed(item: dict[str, Any], key: str = KEY) -> dict[str, Any]:
    """Sign an item as it stands."""
    mac = signature.sign(bytes.fromhex(key), signature.signed_content(item)).decode()
    return {**item, "additionalData": {"hmacSignature": mac}}


def body_of(*items: Any) -> bytes:
    """Write a notification."""
    wrapped = [{"NotificationRequestItem": item} for item in items]
    return json.dumps({"live": "false", "notificationItems": wrapped}).encode()


def read(body: bytes, **headers: str) -> list[PspEvent]:
    """Read a webhook under the one key."""
    return list(AdyenWebhooks([KEY]).read_webhook(headers, body, now=NOW))


def read_item(code: str, success: Any = "true", **fields: Any) -> PspEvent:
    """Read one item that is rightly signed."""
    (found,) = read(body_of(signed(new_item(code, success, **fields))))
    return found


def read_platform(content: Any) -> PspEvent:
    """Read a platform's webhook that is rightly signed."""
    body = json.dumps(content).encode()
    (found,) = read(body, hmacsignature=signature.sign(bytes.fromhex(KEY), body).decode())
    return found
