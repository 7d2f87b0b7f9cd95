"""A gateway with Adyen beside Stripe, and what Adyen's webhooks tell it."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from google.api.httpbody_pb2 import HttpBody
from paymesh.psp.v1 import attempt_pb2 as noun
from paymesh.psp.v1 import webhook_service_pb2 as service

from chassis.clock import utc_now
from psp_gateway.domain.walk import Patience
from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.sandbox import DEADLINE_S, Gateway, Sandbox, served

KEY = "44782def547aaa06c910c43932b1eb0c71fc68d9d0c057550c48ec2acf6ba056"  # pragma: allowlist secret
TOKEN = "adyen:shopper_1:any_card"


@asynccontextmanager
async def with_adyen(
    database: ServiceDatabase, sandbox: Sandbox, **settings: str
) -> AsyncIterator[Gateway]:
    """Serve a gateway with Adyen beside Stripe."""
    told = {
        "ADYEN_API_KEY": "AQE_canary",  # pragma: allowlist secret
        "ADYEN_API_BASE": f"{sandbox.url}/adyen",
        "ADYEN_MERCHANT_ACCOUNT": "PaymeshDemo",
        "ADYEN_HMAC_KEY": KEY,
        "ADYEN_RETURN_URL": "https://shop.example/back",
        "PSP_INBOX_POLL_S": "0.1",
    }
    async with served(database, sandbox.url, **told | settings) as started:
        yield started


def item(code: str, *, ours: str, reference: str, **more: Any) -> dict[str, Any]:
    """Make an item of a notification, signed as Adyen does."""
    content = {
        "pspReference": reference,
        "originalReference": "",
        "merchantAccountCode": "PaymeshDemo",
        "merchantReference": ours,
        "amount": {"value": 9999, "currency": "USD"},
        "eventCode": code,
        "success": "true",
        **more,
    }
    names = ("pspReference", "originalReference", "merchantAccountCode", "merchantReference")
    values = [content[name] for name in names]
    values += [content["amount"]["value"], content["amount"]["currency"]]
    values += [content["eventCode"], content["success"]]
    signed = ":".join(map(str, values)).encode()
    mac = hmac.new(bytes.fromhex(KEY), signed, hashlib.sha256).digest()
    signature = base64.b64encode(mac).decode()
    return {"NotificationRequestItem": {**content, "additionalData": {"hmacSignature": signature}}}


async def tell(gateway: Gateway, *items: dict[str, Any]) -> bytes:
    """Send a notification and wait until nothing of the inbox is new."""
    body = json.dumps({"live": "false", "notificationItems": list(items)}).encode()
    request = service.ReceiveWebhookRequest(psp="adyen", raw=HttpBody(data=body))
    answer = await gateway.webhooks.ReceiveWebhook(request, timeout=DEADLINE_S)
    new = service.ListWebhookEventsRequest(state=service.WebhookEvent.NEW)
    async with asyncio.timeout(DEADLINE_S):
        while (await gateway.webhooks.ListWebhookEvents(new)).events:
            await asyncio.sleep(0.02)
    return bytes(answer.data)


async def stands(gateway: Gateway, kind: int) -> noun.Attempt:
    """Read the attempt of a kind as it stands, which asks no PSP."""
    (found,) = [a for a in await gateway.attempts("pay_1") if a.kind == kind]
    return found


async def rested() -> None:
    """Wait for as long as an attempt rests before its PSP would be asked again."""
    begun, pause = utc_now(), Patience(timedelta(0)).pause
    while utc_now() - begun < pause:
        await asyncio.sleep(0.02)


async def newest(gateway: Gateway) -> service.WebhookEvent:
    """Read the event that came last."""
    found = await gateway.webhooks.ListWebhookEvents(service.ListWebhookEventsRequest())
    return found.events[0]
