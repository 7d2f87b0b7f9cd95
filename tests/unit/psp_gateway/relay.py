"""What the edge does with webhooks, without the edge: the sandbox's own, handed on untouched."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from aiohttp import web
from google.api.httpbody_pb2 import HttpBody
from paymesh.psp.v1 import webhook_service_pb2 as service

from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.sandbox import Gateway, Sandbox, every_psp, running_sandbox, served

_KEPT = ("stripe-signature", "paypal-", "hmacsignature")


@dataclass
class Relay:
    """Hands webhooks to a gateway, once there is one; until then the PSP has to send again."""

    url: str = ""
    gateway: Gateway | None = None

    async def hand_on(self, request: web.Request) -> web.Response:
        """Give the raw bytes and the headers of signatures to the gateway."""
        if self.gateway is None:
            return web.Response(status=503)
        names = {name.lower(): value for name, value in request.headers.items()}
        metadata = [(name, value) for name, value in names.items() if name.startswith(_KEPT)]
        raw = HttpBody(data=await request.read())
        told = service.ReceiveWebhookRequest(psp=request.match_info["psp"], raw=raw)
        try:
            await self.gateway.webhooks.ReceiveWebhook(told, metadata=metadata, timeout=60.0)
        except grpc.aio.AioRpcError as error:
            is_refused = error.code() is grpc.StatusCode.INVALID_ARGUMENT
            return web.Response(status=400 if is_refused else 503)
        return web.Response(text="{}")


@asynccontextmanager
async def relayed() -> AsyncIterator[Relay]:
    """Listen on a free port."""
    relay = Relay()
    app = web.Application()
    app.router.add_post("/v1/webhooks/{psp}", relay.hand_on)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        relay.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/webhooks"
        yield relay
    finally:
        await runner.cleanup()


@dataclass(frozen=True, slots=True)
class World:
    """A gateway that has every PSP, and the sandbox that tells it what happens."""

    gateway: Gateway
    sandbox: Sandbox


@asynccontextmanager
async def running_world(
    database: ServiceDatabase, folder: Path, **settings: str
) -> AsyncIterator[World]:
    """Run both until the end of the block; `settings` stand over the usual ones."""
    async with relayed() as relay, running_sandbox(folder, webhook_url=relay.url) as sandbox:
        told = {**every_psp(sandbox.url, folder), **settings}
        async with served(database, sandbox.url, **told) as gateway:
            relay.gateway = gateway
            yield World(gateway, sandbox)
            relay.gateway = None
