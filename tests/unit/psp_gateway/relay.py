"""Carries webhooks from the sandbox to a gateway without an edge, as the edge would."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
from aiohttp import web
from google.api.httpbody_pb2 import HttpBody
from paymesh.psp.v1 import webhook_service_pb2 as service

from tests.servers import free_port
from tests.unit.psp_gateway.sandbox import DEADLINE_S, Gateway


@dataclass
class Relay:
    """Where webhooks are sent to; each is refused, and so comes again, until there is a gateway."""

    url: str
    gateway: Gateway | None = None

    async def carry(self, request: web.Request) -> web.Response:
        """Carry one."""
        if self.gateway is None:
            return web.Response(status=503)
        raw = service.ReceiveWebhookRequest(
            psp=request.match_info["psp"], raw=HttpBody(data=await request.read())
        )
        metadata = [(name.lower(), value) for name, value in request.headers.items()]
        kept = [pair for pair in metadata if pair[0] in ("stripe-signature", "hmacsignature")]
        try:
            answer = await self.gateway.webhooks.ReceiveWebhook(
                raw, metadata=kept, timeout=DEADLINE_S
            )
        except grpc.aio.AioRpcError as error:
            return web.Response(status=400, text=error.details() or "")
        except grpc.aio.UsageError:
            return web.Response(status=503)  # the gateway has gone
        return web.Response(body=answer.data)


@asynccontextmanager
async def relaying() -> AsyncIterator[Relay]:
    """Listen on a free port until the end of the block."""
    port = free_port()
    relay = Relay(f"http://127.0.0.1:{port}")
    app = web.Application()
    app.add_routes([web.post("/{psp}", relay.carry)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield relay
    finally:
        await runner.cleanup()
