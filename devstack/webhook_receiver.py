"""A receiver of webhooks as a partner would write it: verify, answer at once, then work.

It verifies by the Standard Webhooks specification with nothing but the standard library, so that
its few lines can be copied.
"""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from chassis.clock import utc_now

_TOLERANCE_S = 300.0
_BODY_BYTES_MAX = 65_536


class BadSignature(Exception):
    """The message is not from whom it says, was changed, or is too old."""


def verify(secret: str, headers: Mapping[str, str], body: bytes, now_s: float) -> dict[str, Any]:
    """Read an event after its signature has been checked.

    Args:
        secret: as shown once, `whsec_…`.
        headers: of the request, in any case.
        body: as it came, byte for byte.
        now_s: Unix seconds.

    Raises:
        BadSignature: and why.
    """
    known = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, timestamp = known["webhook-id"], known["webhook-timestamp"]
        offered = known["webhook-signature"].split(" ")
        age_s = abs(now_s - int(timestamp))
    except (KeyError, ValueError) as error:
        raise BadSignature("a webhook header is missing or malformed") from error
    if age_s > _TOLERANCE_S:
        raise BadSignature("the message is too old, or a clock is wrong")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    if not any(hmac.compare_digest(f"v1,{digest}".encode(), one.encode()) for one in offered):
        raise BadSignature("no signature fits the secret")
    return dict(json.loads(body))


class Receiver:
    """Takes events into a queue; what is not signed by `secret` is turned away."""

    def __init__(self) -> None:
        self.secret = ""
        self.events: asyncio.Queue[dict[str, Any] | BadSignature] = asyncio.Queue(maxsize=1000)

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a POST: 204 for what is good and kept, 400 for what is not, 503 when full."""
        now_s = utc_now().timestamp()
        try:
            event = verify(self.secret, request.headers, await request.read(), now_s)
            self.events.put_nowait(event)
        except BadSignature as error:
            if not self.events.full():
                self.events.put_nowait(error)
            return web.Response(status=400)
        except asyncio.QueueFull:
            return web.Response(status=503)
        return web.Response(status=204)


@asynccontextmanager
async def receiving(receiver: Receiver, port: int) -> AsyncIterator[str]:
    """Serve a receiver on loopback, `port` 0 for any; tell its URL.

    Raises:
        OSError: the port is taken.
    """
    app = web.Application(client_max_size=_BODY_BYTES_MAX)
    app.router.add_post("/", receiver.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()
