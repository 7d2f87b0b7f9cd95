"""A shop that sends buyers to the PSP's page, and a browser that a buyer has."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

os.environ["LIGHTPANDA_DISABLE_TELEMETRY"] = "true"

from lightpanda import Browser  # type: ignore[import-untyped]


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop's site."""

    url: str


@asynccontextmanager
async def open_shop() -> AsyncIterator[Shop]:
    """Serve the two pages that buyers come back to."""
    app = web.Application()
    app.router.add_get("/thanks", _page("Thank you"))
    app.router.add_get("/basket", _page("Your basket"))
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield Shop(f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()


def _page(title: str) -> Any:
    async def show(_: web.Request) -> web.Response:
        html = f"<!doctype html><title>{title}</title><h1>{title}</h1>"
        return web.Response(text=html, content_type="text/html")

    return show


class Buyer:
    """A person at a browser."""

    def __init__(self, browser: Any) -> None:
        self._page = browser.new_session()

    async def go(self, url: str) -> None:
        """Open an address."""
        await asyncio.to_thread(self._page.goto, url=url)

    async def choose(self, selector: str, value: str) -> None:
        """Choose from a list."""
        await asyncio.to_thread(self._page.select_option, selector=selector, value=value)

    async def press(self, label: str) -> None:
        """Press a button by what it says."""
        (button,) = await asyncio.to_thread(self._page.find_element, role="button", name=label)
        await asyncio.to_thread(button.click)

    async def address(self) -> str:
        """Tell where the browser is."""
        return str(await asyncio.to_thread(self._page.evaluate, script="location.href"))

    async def text(self) -> str:
        """Read the page."""
        script = "document.body.textContent"
        return str(await asyncio.to_thread(self._page.evaluate, script=script))


@contextmanager
def open_browser() -> Iterator[Any]:
    """Start a headless browser; end it with the block."""
    with Browser() as browser:
        yield browser
