"""A real sidecar between a service's own client and a stand-in for another service."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import _async, health_pb2_grpc
from paymesh.ledger.v1 import ledger_service_pb2 as service
from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub

from chassis import errors
from chassis.channel import call, open_channel
from devstack.envoy import envoy_recipe
from devstack.health import envoy_ready
from devstack.mesh.callers import read_callers
from devstack.mesh.certificates import Certificates, utc_now
from devstack.mesh.identities import DEVELOPMENT
from devstack.mesh.sidecar import Peer, Sidecar, render
from devstack.mesh.tls import Identity, secret_files
from devstack.processes import start
from devstack.state import reachable_folder

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
LEDGER = service.DESCRIPTOR.services_by_name["LedgerService"]


@dataclass
class StandIn(grpc.GenericRpcHandler):
    """Answers every method alike, and keeps what it was told."""

    status: grpc.StatusCode = grpc.StatusCode.OK
    asked: Counter[str] = field(default_factory=Counter)
    heard: dict[str, Any] = field(default_factory=dict)
    remaining_s: float = 0.0

    def service(self, details: Any) -> Any:
        """Answer any method but health."""
        if details.method.startswith("/grpc."):
            return None

        async def answer(_: bytes, context: Any) -> bytes:
            self.asked[details.method.rpartition("/")[2]] += 1
            self.heard = dict(context.invocation_metadata())
            self.remaining_s = context.time_remaining()
            if self.status is not grpc.StatusCode.OK:
                await context.abort(self.status, "a test")
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)


@asynccontextmanager
async def serving(stand_in: StandIn, certificate: Path) -> AsyncIterator[str]:
    """Serve it by mTLS with a certificate."""
    key, own, roots = ((certificate / n).read_bytes() for n in ("tls.key", "tls.crt", "ca.crt"))
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((stand_in,))
    health = _async.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    credentials = grpc.ssl_server_credentials([(key, own)], roots, require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


@asynccontextmanager
async def beside_payment_svc(
    stand_in: StandIn, *, shows: str = "ledger_svc", is_ready: bool = True
) -> AsyncIterator[Any]:
    """Run payment_svc's sidecar, and give the channel that payment_svc would have.

    `shows`: whose certificate the stand-in for the ledger has.
    """
    with reachable_folder("mesh-") as folder:
        certificates = Certificates(folder / "certs")
        certificates.init(utc_now())
        for name, content in secret_files(certificates.workload("payment_svc")).items():
            (folder / name).write_text(content)
        async with serving(stand_in, certificates.workload(shows)) as target:
            described = Sidecar(
                service="payment_svc",
                identity=Identity(DEVELOPMENT.workload("payment_svc"), folder),
                ingress=f"unix:{folder}/in",
                application=f"unix:{folder}/app",
                egress=f"unix:{folder}/out",
                admin=f"unix:{folder}/admin",
                peers={"ledger_svc": Peer(target, DEVELOPMENT.workload("ledger_svc"))},
                access_log=str(folder / "access.log"),
            )
            file = folder / "sidecar.yaml"
            file.write_text(render(described, read_callers(in_development=False)))
            child = await start(envoy_recipe("sidecar", file), folder / "sidecar.log")
            channel = open_channel(described.egress, LEDGER)
            try:
                async with asyncio.timeout(60):
                    if is_ready:
                        await envoy_ready(described.admin, with_upstreams=True)
                    else:
                        await channel.channel_ready()
                yield channel
            except TimeoutError:
                raise AssertionError((folder / "sidecar.log").read_text()) from None
            finally:
                await channel.close()
                await child.stop()


@pytest.mark.parametrize("method", ["ListEntries", "OpenAccounts"])
async def test_what_may_be_sent_again_is_sent_three_times_and_no_more(method: str) -> None:
    """By the sidecar, within its budget; the service's own client does not multiply it."""
    stand_in = StandIn(grpc.StatusCode.UNAVAILABLE)
    async with beside_payment_svc(stand_in) as channel:
        request = getattr(service, f"{method}Request")()
        with pytest.raises(errors.Unavailable):
            await call(getattr(LedgerServiceStub(channel), method), request, 20)

    assert stand_in.asked == {method: 3}


@pytest.mark.parametrize(
    "status",
    [grpc.StatusCode.INTERNAL, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.ABORTED],
)
async def test_an_answer_is_an_answer(status: grpc.StatusCode) -> None:
    """What the service said is not asked again, and does not take its host out."""
    stand_in = StandIn(status)
    async with beside_payment_svc(stand_in) as channel:
        for _ in range(10):
            with pytest.raises(errors.PaymeshError):
                await call(LedgerServiceStub(channel).ListEntries, service.ListEntriesRequest(), 20)

    assert stand_in.asked == {"ListEntries": 10}


async def test_deadline_request_and_trace_go_along() -> None:
    """The other service hears them as they were said."""
    stand_in = StandIn()
    told = [("x-request-id", "req-1"), ("traceparent", TRACE)]
    async with beside_payment_svc(stand_in) as channel:
        stub = LedgerServiceStub(channel)
        await stub.ListEntries(service.ListEntriesRequest(), timeout=20, metadata=told)

    assert (stand_in.heard["x-request-id"], stand_in.heard["traceparent"]) == ("req-1", TRACE)
    assert 5 < stand_in.remaining_s < 21  # it is told in whole units, rounded up


async def test_what_the_table_does_not_allow_has_no_way_out() -> None:
    """Nobody is asked at all."""
    stand_in = StandIn()
    async with beside_payment_svc(stand_in) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await (
                LedgerServiceStub(channel)
                .CloseMonth(service.CloseMonthRequest(), timeout=20)
                .read()
            )

    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert not stand_in.asked


async def test_a_server_with_another_name_is_not_spoken_to() -> None:
    """Its certificate is good, but it is the wallets': nothing is said to it."""
    stand_in = StandIn()
    async with beside_payment_svc(stand_in, shows="wallet_svc", is_ready=False) as channel:
        with pytest.raises(errors.Unavailable):
            await call(LedgerServiceStub(channel).ListEntries, service.ListEntriesRequest(), 20)

    assert not stand_in.asked
