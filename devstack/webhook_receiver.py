"""A receiver of webhooks as a partner would write it: verify, keep, answer at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from paymesh.client import InvalidWebhook, verify_webhook

_BODY_BYTES_MAX = 65_536
_WAITING_MAX = 1_000


class Receiver:
    """Takes events that `secret` has signed into a queue, and notes what it turned away."""

    def __init__(self) -> None:
        self.secret = ""
        self.events: asyncio.Queue[dict[str, Any] | InvalidWebhook] = asyncio.Queue(_WAITING_MAX)

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a POST: 204 for what is good and kept, 400 for what is not, 503 when full."""
        if self.events.full():
            return web.Response(status=503)
        try:
            event = verify_webhook(request.headers, await request.read(), self.secret)
        except InvalidWebhook as error:
            self.events.put_nowait(error)
            return web.Response(status=400)
        self.events.put_nowait(event)
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
