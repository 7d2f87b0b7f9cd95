"""A receiver of webhooks, as clients have one: it verifies, keeps, and fails at times."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from random import Random
from typing import Any

import psycopg
from aiohttp import web
from paymesh.client import InvalidWebhook, verify_webhook

from devstack.audit import Notice
from devstack.rest import RestClient

_FAILS = 0.01  # of the webhooks, so that they come again
_PENDING = "SELECT count(*) FROM webhook_deliveries WHERE status = 'PENDING'"


class Receiver:
    """Keeps what it was told.

    Attributes:
        notices: each webhook that was verified and answered 2xx, in the order of arrival.
        forged: how many did not verify.
        since: when it began to listen.
    """

    def __init__(self, seed: int) -> None:
        self._chance = Random(f"receiver {seed}")
        self.secret = ""
        self.notices: list[Notice] = []
        self.forged = 0
        self.since = datetime.now(UTC)

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a webhook."""
        if self._chance.random() < _FAILS:
            return web.Response(status=503)
        try:
            event = verify_webhook(request.headers, await request.read(), self.secret)
        except InvalidWebhook:
            self.forged += 1
            return web.Response(status=400)
        if event["type"].startswith("payment."):  # cases are told too, and have no status to end in
            data = event["data"]
            self.notices.append(
                Notice(data["payment_id"], event["sequence"], event["type"], data["status"])
            )
        return web.Response(status=204)


@asynccontextmanager
async def listening(stack: Mapping[str, Any], seed: int) -> AsyncIterator[Receiver]:
    """Run a receiver that is registered as an endpoint.

    Raises:
        RuntimeError: it cannot be registered.
    """
    receiver = Receiver(seed)
    app = web.Application()
    app.router.add_post("/", receiver.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        async with RestClient(stack["edge"]["url"], stack["client"]["api_key"]) as rest:
            answer = await rest.ask("POST", "/v1/webhook_endpoints", {"url": url})
        if answer.status != 200:
            raise RuntimeError(f"the endpoint was refused: {answer.body}")
        receiver.secret = answer.body["secret"]
        receiver.since = datetime.now(UTC)
        yield receiver
    finally:
        await runner.cleanup()


async def all_delivered(stack: Mapping[str, Any], deadline_s: float) -> None:
    """Wait until no webhook is on its way to a client any more, later tries too.

    Raises:
        TimeoutError: some are, at the deadline.
    """
    async with asyncio.timeout(deadline_s):
        while await asyncio.to_thread(_pending, stack["databases"]["payment"]):
            await asyncio.sleep(0.5)


def _pending(url: str) -> int:
    with psycopg.connect(url, connect_timeout=5) as connection:
        row = connection.execute(_PENDING).fetchone()
    return int(row[0]) if row else 0
