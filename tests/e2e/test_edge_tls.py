"""The edge by TLS: an Envoy of the test's own with a certificate, which is renewed."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from devstack.edge import own_certificate
from devstack.mesh.certificates import Certificates, utc_now
from devstack.mesh.identities import EDGE
from devstack.mesh.secret_folder import ROOTS
from devstack.state import State
from tests.own_edge import OwnEdge, own_edge
from tests.raw_http import PAYMENT, request, said, status  # fmt: skip

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOST = "host: edge"
GET = f"GET {PAYMENT} HTTP/1.1"
DEADLINE_S = 60


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tls_door(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[OwnEdge, Path]]:
    """An edge with a certificate, and the certificates' folder."""
    folder = tmp_path_factory.mktemp("tls")
    state = State(folder)
    state.prepare()
    certificate = own_certificate(state, utc_now())
    async with own_edge(folder, certificate=certificate) as running:
        yield running, state.certificates


def trusting(certificates: Path) -> ssl.SSLContext:
    """Make a client that checks the edge's certificate."""
    return ssl.create_default_context(cafile=str(Certificates(certificates).workload(EDGE) / ROOTS))


async def ask(door: OwnEdge, context: ssl.SSLContext) -> tuple[int, Any]:
    """Ask for a payment by TLS."""
    url = f"https://localhost:{door.tls_port}{PAYMENT}"
    headers = {"authorization": f"Bearer {door.api_key}"}
    async with aiohttp.ClientSession() as session:
        async with session.get(url, headers=headers, ssl=context) as answer:
            return answer.status, await answer.json()


async def test_with_a_certificate_it_speaks_tls(tls_door: tuple[OwnEdge, Path]) -> None:
    """By its name, checked, HTTP/1.1 and HTTP/2; in clear nothing is understood there."""
    door, certificates = tls_door

    answered, body = await ask(door, trusting(certificates))
    h2 = trusting(certificates)
    h2.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection("localhost", door.tls_port, ssl=h2)
    chosen = writer.get_extra_info("ssl_object")
    in_clear = await said(("127.0.0.1", door.tls_port), request(GET, HOST))

    assert (answered, body["payment_id"]) == (200, "pay_1")
    assert (chosen.version(), chosen.selected_alpn_protocol()) == ("TLSv1.3", "h2")
    assert status(in_clear) == 0
    writer.close()


async def test_it_speaks_no_tls_but_1_3(tls_door: tuple[OwnEdge, Path]) -> None:
    """A client that knows 1.2 at most gets no handshake."""
    door, certificates = tls_door
    old = trusting(certificates)
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("localhost", door.tls_port, ssl=old)


async def test_a_handshake_has_five_seconds(tls_door: tuple[OwnEdge, Path]) -> None:
    """Who connects to the TLS port and says nothing is hung up on."""
    door, _ = tls_door

    assert await said(("127.0.0.1", door.tls_port)) == b""


async def test_a_new_certificate_needs_no_restart(tls_door: tuple[OwnEdge, Path]) -> None:
    """Once it is renewed on disk, new connections are shown the new one."""
    door, folder = tls_door
    certificates, context = Certificates(folder), trusting(folder)
    certificates.rotate([EDGE], utc_now() + timedelta(minutes=1))
    wanted = {each.name: int(each.serial, 16) for each in certificates.list()}[EDGE]

    async with asyncio.timeout(DEADLINE_S):
        while await shown(door, context) != wanted:
            await asyncio.sleep(0.1)


async def shown(door: OwnEdge, context: ssl.SSLContext) -> int:
    """Tell the serial number of the certificate that is shown."""
    _, writer = await asyncio.open_connection("localhost", door.tls_port, ssl=context)
    told = writer.get_extra_info("ssl_object").getpeercert()
    writer.close()
    return int(told["serialNumber"], 16)
