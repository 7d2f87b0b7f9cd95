"""A receiver of webhooks on loopback that answers as a test says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def ok(_: web.Request) -> web.StreamResponse:
    """Take it."""
    return web.Response(status=204)


def answering(status: int, **headers: str) -> Answer:
    """Make an answer of a status."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers=headers)

    return answer


@dataclass
class Receiver:
    """What came, what of it was taken (answered 2xx), and what is answered: each of `answers` once,
    then the last again and again.
    """

    answers: list[Answer] = field(default_factory=lambda: [ok])
    seen: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    taken: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Note a request and answer it."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        message = headers, await request.read()
        self.seen.append(message)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        response = await answer(request)
        if response.status < 300:
            self.taken.append(message)
        self._came.set()
        return response

    async def until(self, fits: Callable[[], bool], timeout_s: float = 30.0) -> None:
        """Wait until what came fits.

        Raises:
            TimeoutError: it does not in time.
        """
        async with asyncio.timeout(timeout_s):
            while not fits():
                self._came.clear()
                await self._came.wait()


@asynccontextmanager
async def receiving(*answers: Answer) -> AsyncIterator[Receiver]:
    """Run a receiver on a free port."""
    receiver = Receiver(list(answers) or [ok])
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"http://{host}:{port}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()
