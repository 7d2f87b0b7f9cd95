"""PayPal's certificates are fetched once, from where they are said to be, and sparingly."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from chassis.errors import Unavailable
from psp_gateway.domain.errors import BadSignature
from psp_gateway.providers.paypal.certificates import Certificates

PEM = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


@dataclass
class PayPal:
    """A server of certificates that counts what it is asked."""

    url: str = ""
    asked: list[str] = field(default_factory=list)
    status: int = 200
    body: bytes = PEM

    async def answer(self, request: web.Request) -> web.Response:
        """Answer as it is told."""
        self.asked.append(request.path)
        headers = {"Location": f"{self.url}/elsewhere"} if self.status == 302 else {}
        return web.Response(status=self.status, body=self.body, headers=headers)


@pytest.fixture
async def paypal() -> AsyncIterator[PayPal]:
    """Serve on a free port."""
    server = PayPal()
    app = web.Application()
    app.router.add_get("/{name}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


async def test_a_certificate_is_fetched_once(paypal: PayPal) -> None:
    """Whoever waits for the same one gets the same one."""
    certificates, url = Certificates(), f"{paypal.url}/cert-1"

    before = certificates.get(url)
    await asyncio.gather(*(certificates.fetch(url) for _ in range(5)))

    assert (before, certificates.get(url)) == (None, PEM)
    assert paypal.asked == ["/cert-1"]


@pytest.mark.parametrize(
    ("status", "body"), [(404, b"no"), (302, PEM), (200, b"<html>"), (200, b"")]
)
async def test_what_is_no_certificate_is_not_kept(paypal: PayPal, status: int, body: bytes) -> None:
    """Nor is a redirect followed: it could lead anywhere."""
    paypal.status, paypal.body = status, body
    certificates, url = Certificates(), f"{paypal.url}/cert-1"

    with pytest.raises(BadSignature):
        await certificates.fetch(url)

    assert certificates.get(url) is None
    assert paypal.asked == ["/cert-1"]


async def test_trouble_is_not_held_against_the_sender(paypal: PayPal) -> None:
    """PayPal is to send the webhook again."""
    paypal.status = 503
    certificates = Certificates()

    with pytest.raises(Unavailable):
        await certificates.fetch(f"{paypal.url}/cert-1")
    with pytest.raises(Unavailable):
        await certificates.fetch("http://127.0.0.1:9/cert-1")


async def test_strangers_cannot_make_it_ask_without_end(paypal: PayPal) -> None:
    """Thirty a minute, however many addresses are named; a minute later it asks again."""
    now = 0.0
    certificates = Certificates(clock_s=lambda: now)
    for number in range(30):
        await certificates.fetch(f"{paypal.url}/cert-{number}")

    with pytest.raises(Unavailable):
        await certificates.fetch(f"{paypal.url}/cert-31")
    asked = len(paypal.asked)
    now = 61.0
    await certificates.fetch(f"{paypal.url}/cert-31")

    assert (asked, len(paypal.asked)) == (30, 31)


async def test_few_are_kept(paypal: PayPal) -> None:
    """The least used goes first."""
    certificates = Certificates()
    for number in range(16):
        await certificates.fetch(f"{paypal.url}/cert-{number}")
    used = certificates.get(f"{paypal.url}/cert-0")

    await certificates.fetch(f"{paypal.url}/cert-16")

    assert used == certificates.get(f"{paypal.url}/cert-0") == PEM
    assert certificates.get(f"{paypal.url}/cert-1") is None
