"""Where a lane's webhooks arrive: the PSP's are handed to the gateway, our own are kept as the shop
would keep them.
"""

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
from aiohttp import web
from google.api.httpbody_pb2 import HttpBody
from paymesh.psp.v1 import webhook_service_pb2 as service
from paymesh.psp.v1.webhook_service_pb2_grpc import WebhookServiceStub

from devstack.audit import Notice

_KEPT = ("stripe-signature",)


@dataclass
class Tellings:
    """What was told. `told` holds, by payment, the type of each event by its id."""

    url: str = ""
    gateway: WebhookServiceStub | None = None
    told: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    notices: list[Notice] = field(default_factory=list)

    async def hand_on(self, request: web.Request) -> web.Response:
        """Give a PSP's webhook to the gateway; while that is away the PSP has to send again."""
        if self.gateway is None:
            return web.Response(status=503)
        names = {name.lower(): value for name, value in request.headers.items()}
        metadata = [(name, value) for name, value in names.items() if name.startswith(_KEPT)]
        raw = HttpBody(data=await request.read())
        told = service.ReceiveWebhookRequest(psp=request.match_info["psp"], raw=raw)
        try:
            await self.gateway.ReceiveWebhook(told, metadata=metadata, timeout=5.0)
        except grpc.aio.AioRpcError as error:
            is_refused = error.code() is grpc.StatusCode.INVALID_ARGUMENT
            return web.Response(status=400 if is_refused else 503)
        return web.Response(text="{}")

    async def keep(self, request: web.Request) -> web.Response:
        """Take an event as a shop does: by its id, once."""
        body = await request.json()
        data = body["data"]
        self.told[data["payment_id"]][request.headers["webhook-id"]] = body["type"]
        if "status" in data:  # a case has none
            notice = Notice(data["payment_id"], body["sequence"], body["type"], data["status"])
            self.notices.append(notice)
        return web.Response()


@asynccontextmanager
async def listening() -> AsyncIterator[Tellings]:
    """Listen on a free port."""
    tellings = Tellings()
    app = web.Application()
    app.router.add_post("/v1/webhooks/{psp}", tellings.hand_on)
    app.router.add_post("/shop", tellings.keep)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        tellings.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield tellings
    finally:
        await runner.cleanup()
