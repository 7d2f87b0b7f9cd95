"""The operators' listener against who means harm, with a certificate or without: an Envoy of the
test's own, a stand-in for the ledger, and frames that no library sends.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from devstack.envoy import envoy_recipe
from devstack.health import envoy_ready
from devstack.mesh.certificates import Certificates, utc_now
from devstack.mesh.edge import CALLED, Edge, render
from devstack.mesh.identities import DEVELOPMENT, EDGE, OPERATORS
from devstack.mesh.operators import Operators
from devstack.mesh.sidecar import Peer
from devstack.mesh.tls import Identity, secret_files
from devstack.processes import start
from devstack.services import SERVICES
from devstack.state import reachable_folder
from tests.contract.test_sidecar import StandIn, serving
from tests.hostile import FLOODS, MALFORMED
from tests.raw_http import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    GOAWAY,
    HEADERS,
    RST_STREAM,
    SETTINGS,
    Wire,
    begun,
    block,
    connected,
    frame,
)
from tests.servers import free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).resolve().parents[2]
ASKED = "/paymesh.ledger.v1.LedgerService/GetTrialBalance"
ANN = "spiffe://paymesh.local/operator/ann"
EMPTY = frame(DATA, b"\0\0\0\0\0", flags=1, stream=1)
FORGED = {
    "x-paymesh-client-id": "evil",
    "x-paymesh-identity": "spiffe://paymesh.local/ns/paymesh/sa/payment_svc",
    "x-paymesh-operator": "spiffe://paymesh.local/operator/evil",
    "x-paymesh-actor": "evil",
    "x-forwarded-client-cert": "URI=spiffe://evil",
    "x-envoy-retry-on": "5xx",
    "x-envoy-max-retries": "100",
    "x-envoy-upstream-rq-timeout-ms": "1",
    "x-envoy-hedge-on-per-try-timeout": "true",
    "x-envoy-original-path": "/evil",
    "x-request-id": "evil",
}


@dataclass(frozen=True, slots=True)
class Door:
    """A running listener, who stands behind it, and an operator's certificate."""

    address: tuple[str, int]
    stand_in: StandIn
    ann: ssl.SSLContext = field(repr=False)

    async def answered(self, **headers: str) -> bool:
        """Call the ledger on a connection of its own; tell whether it was reached."""
        before = self.stand_in.asked["GetTrialBalance"]
        async with connected(self.address, self.ann) as wire:
            await wire.send(begun(), calling(1, **headers), EMPTY)
            await wire.until(HEADERS, RST_STREAM, GOAWAY)
        return self.stand_in.asked["GetTrialBalance"] > before


def calling(stream: int, *, flags: int = END_HEADERS, **more: str) -> bytes:
    """Begin a call to the ledger."""
    told = {
        ":method": "POST",
        ":scheme": "https",
        ":authority": "edge",
        ":path": ASKED,
        "content-type": "application/grpc",
        "te": "trailers",
    }
    return frame(HEADERS, block({**told, **more}), flags=flags, stream=stream)


def showing(folder: Path) -> ssl.SSLContext:
    """Make a client with a certificate, of whom the listener has to convince nobody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    return context


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door() -> AsyncIterator[Door]:
    """The listener as production has it, for the whole file."""
    stand_in = StandIn()
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(reachable_folder("operators-"))
        certificates = Certificates(folder / "certs")
        certificates.init(utc_now())
        ann = certificates.add_operator("ann", utc_now())
        ledger = await stack.enter_async_context(
            serving(stand_in, certificates.workload("ledger_svc"))
        )

        def identity(name: str) -> Identity:
            secrets = folder / name
            secrets.mkdir()
            for file, content in secret_files(certificates.workload(name)).items():
                (secrets / file).write_text(content)
            return Identity(DEVELOPMENT.workload(name), secrets)

        targets = {s.name: f"127.0.0.1:{free_port()}" for s in SERVICES} | {"ledger_svc": ledger}
        peers = {name: Peer(where, DEVELOPMENT.workload(name)) for name, where in targets.items()}
        edge, port = identity(EDGE), free_port()
        described = Edge(
            listen=f"127.0.0.1:{free_port()}",
            admin=f"unix:{folder}/admin",
            services={name: peers[name] for name in CALLED},
            caller=edge,
            operators=Operators(
                listen=f"127.0.0.1:{port}",
                server=edge,
                caller=identity(OPERATORS),
                services=peers,
                access_log=str(folder / "operators.log"),
            ),
            access_log=str(folder / "access.log"),
            openapi=str(ROOT / "docs" / "openapi.json"),
            descriptor=str(ROOT / "stubs" / "paymesh.binpb"),
        )
        (folder / "edge.yaml").write_text(render(described))
        child = await start(envoy_recipe("edge", folder / "edge.yaml"), folder / "edge.log")
        stack.push_async_callback(child.stop)
        running = Door(("127.0.0.1", port), stand_in, showing(ann))
        async with asyncio.timeout(60):
            await envoy_ready(described.admin)
            while not await running.answered():
                await asyncio.sleep(0.1)
        yield running


async def test_who_he_is_says_his_certificate_alone(door: Door) -> None:
    """Forged identities, retries and deadlines are taken off before anybody reads them."""
    assert await door.answered(**FORGED)

    heard = door.stand_in.heard
    assert heard["x-paymesh-operator"] == ANN
    assert {name for name in FORGED if heard.get(name) == FORGED[name]} == set()
    assert "evil" not in str(heard)


async def test_headers_are_few_small_and_without_underscores(door: Door) -> None:
    """64 headers and 16 KiB, and an end of them."""
    assert not await door.answered(**{f"x-{number}": "1" for number in range(80)})
    assert not await door.answered(**{"x-large": "b" * 20_000})
    assert not await door.answered(x_paymesh_operator="evil")

    endless = [frame(CONTINUATION, block({f"x-{n}": "a" * 1000}), stream=1) for n in range(200)]
    async with connected(door.address, door.ann) as wire:
        await wire.send(begun(), calling(1, flags=0), *endless)
        assert await wire.until(RST_STREAM, GOAWAY) is not None
    assert await door.answered()


@pytest.mark.parametrize("case", MALFORMED)
async def test_headers_that_http2_does_not_have_reach_nobody(door: Door, case: str) -> None:
    """What would be another request in HTTP/1.1 is none here either."""
    assert not await door.answered(**MALFORMED[case])


async def hung_up(wire: Wire) -> bool:
    """Wait until the other side has hung up; by a deadline it fails."""
    await wire.rest()
    return True


async def test_streams_that_are_begun_and_dropped_end_the_connection(door: Door) -> None:
    """Rapid reset, by a person with a certificate: few of thousands reach the service."""
    before = door.stand_in.asked["GetTrialBalance"]
    drop = [
        calling(stream) + frame(RST_STREAM, b"\0\0\0\x08", stream=stream)
        for stream in range(1, 8001, 2)
    ]
    async with connected(door.address, door.ann) as wire:
        await wire.send(begun(), *drop)
        assert await hung_up(wire)

    assert door.stand_in.asked["GetTrialBalance"] - before < 1000
    assert await door.answered()


async def test_streams_of_a_connection_are_bounded(door: Door) -> None:
    """256 at once; the next is refused."""
    opened = [calling(n) for n in range(1, 2 * 257 + 1, 2)]
    async with connected(door.address, door.ann) as wire:
        await wire.send(begun(), *opened)
        settings, refused = await wire.until(SETTINGS), await wire.until(RST_STREAM)

    assert settings is not None
    assert b"\0\3\0\0\1\0" in settings.payload
    assert refused is not None
    assert (refused.stream, refused.payload) == (513, b"\0\0\0\7")


@pytest.mark.parametrize("flood", FLOODS)
async def test_frames_that_say_nothing_end_the_connection(door: Door, flood: str) -> None:
    """The edge hangs up, and goes on serving others."""
    async with connected(door.address, door.ann) as wire:
        await wire.send(begun(), calling(1), *FLOODS[flood])
        assert await hung_up(wire)

    assert await door.answered()


async def test_who_shows_nothing_or_takes_his_time_is_hung_up_on(door: Door) -> None:
    """A handshake has 5 s, and headers 5 s; a call that has begun may last."""
    async with connected(door.address) as silent, connected(door.address, door.ann) as slow:
        await slow.send(begun(), calling(1, flags=0))
        ended, reset = await asyncio.gather(hung_up(silent), slow.until(RST_STREAM, GOAWAY))

    assert ended
    assert reset is not None
