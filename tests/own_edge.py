"""An edge of a test's own: the real Envoy and the real edge_auth in front of a stand-in service."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from ext_authz.external_auth_pb2_grpc import add_AuthorizationServicer_to_server
from google.rpc import status_pb2
from grpc_status import rpc_status
from paymesh.payment.v1 import payment_pb2
from paymesh.payment.v1 import payment_service_pb2 as service
from paymesh.payment.v1.payment_service_pb2_grpc import (
    PaymentServiceServicer,
    add_PaymentServiceServicer_to_server,
)

from chassis import errors
from chassis.clock import utc_now
from chassis.server import Register, make_server
from devstack import edge
from devstack.health import url_ready
from devstack.mesh.edge import Limits
from devstack.state import State
from edge_auth.domain.scopes import Scope
from edge_auth.key_cache import KeyCache
from edge_auth.ports import ClientStore, Turnstile
from edge_auth.routes import Routes
from edge_auth.servicer import EdgeAuthorization
from edge_auth.turnstile import LocalTurnstile
from edge_auth.use_cases.check_request import Door, Rates
from edge_auth.use_cases.create_client import CreatedClient, NewClient, create_client
from tests.known_clients import KnownClients
from tests.servers import free_port

_PATIENCE_S = 60.0  # of the services behind it, unless a test says otherwise
_READY_S = 60
DEMO = NewClient("demo", scopes=tuple(Scope))
FREE = Rates()
FREE_LIMITS = Limits()


class Busy(errors.Unavailable):
    """A part is away for 7 seconds."""

    retry_after = timedelta(seconds=7)


class Full(errors.ResourceExhausted):
    """A limit was reached, for two seconds and a bit."""

    retry_after = timedelta(seconds=2.4)


class StandIn(PaymentServiceServicer):
    """Answers as the last part of the payment's id says, and keeps what reached it."""

    def __init__(self) -> None:
        self.reached: list[Any] = []
        self.heard: list[dict[str, Any]] = []

    async def CreatePayment(
        self, request: service.CreatePaymentRequest, _: Any
    ) -> payment_pb2.Payment:
        """Accept whatever comes."""
        self.reached.append(request)
        return payment_pb2.Payment(payment_id="pay_1", status=payment_pb2.Payment.PENDING)

    async def GetPayment(
        self, request: service.GetPaymentRequest, context: Any
    ) -> payment_pb2.Payment:
        """Answer a payment, or fail in the way that its id names."""
        self.reached.append(request)
        self.heard.append(dict(context.invocation_metadata()))
        match request.payment_id.removeprefix("pay_"):
            case "busy":
                raise Busy("A part is away.")
            case "full":
                raise Full("Enough for now.")
            case "slow":
                await asyncio.sleep(60)
            case "broken":
                raise ZeroDivisionError("a secret")
        return payment_pb2.Payment(payment_id=request.payment_id)


@dataclass(frozen=True, slots=True)
class OwnEdge:
    """A running edge, and what stands behind it."""

    url: str
    api_key: str
    secret: str
    service: StandIn
    access_log: Path
    stop: Callable[[], Awaitable[None]] = field(repr=False)
    tls_port: int = 0
    admin_port: int = 0

    async def counted(self, name: str) -> int:
        """Read a counter of Envoy's, such as `http2.tx_reset`."""
        url = f"http://127.0.0.1:{self.admin_port}/stats"
        async with (
            aiohttp.ClientSession() as session,
            session.get(url, params={"filter": f"^{name}$", "format": "json"}) as answer,
        ):
            found = (await answer.json())["stats"]
        return sum(int(each["value"]) for each in found)

    @property
    def address(self) -> tuple[str, int]:
        """Where it is spoken in clear."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)

    async def rest(
        self, path: str, method: str = "GET", **more: Any
    ) -> tuple[int, Any, Mapping[str, str]]:
        """Ask as REST; headers that are None are not sent."""
        told = {"Authorization": f"Bearer {self.api_key}", **more.pop("headers", {})}
        headers = {name: value for name, value in told.items() if value is not None}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, self.url + path, **more) as answer,
        ):
            return answer.status, await answer.json(), answer.headers

    async def native(
        self, rpc: str, payload: bytes, **headers: str
    ) -> tuple[status_pb2.Status, Mapping[str, Any]]:
        """Call as native gRPC what is refused; answer the status as its client reads it, and the
        trailers.
        """
        told = {"authorization": f"Bearer {self.api_key}", **headers}
        async with grpc.aio.insecure_channel(self.url.removeprefix("http://")) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await channel.unary_unary(rpc)(payload, metadata=list(told.items()), timeout=30)
        status = rpc_status.from_call(refused.value)
        assert status is not None, f"no details: {refused.value}"
        return status, dict(refused.value.trailing_metadata() or ())


@asynccontextmanager
async def own_edge(
    folder: Path,
    *,
    wanted: NewClient = DEMO,
    rates: Rates = FREE,
    turnstile: Turnstile | None = None,
    is_service_up: bool = True,
    is_edge_auth_up: bool = True,
    limits: Limits = FREE_LIMITS,
    certificate: Path | None = None,
    service_timeout_s: float = _PATIENCE_S,
    trusted_proxies: int = 0,
    also: Register | None = None,
) -> AsyncIterator[OwnEdge]:
    """Run an edge; who is not up has a port on which nobody listens. `also` stands behind it,
    beside the stand-in.
    """
    state = State(folder)
    state.prepare()
    stand_in = StandIn()
    made, door = await _door(wanted, rates, turnstile or LocalTurnstile(lambda: 0.0))
    payments, payments_port = await _serve(
        "payment.paymesh",
        partial(add_PaymentServiceServicer_to_server, stand_in),
        service_timeout_s,
        also,
    )
    auth, auth_port = await _serve(
        "edge.paymesh", partial(add_AuthorizationServicer_to_server, EdgeAuthorization(door))
    )
    ports = {
        "edge": free_port(),
        "edge_admin": free_port(),
        "edge_tls": free_port(),
        "psp_gateway": free_port(),
        "payment_svc": payments_port if is_service_up else free_port(),
        "edge_auth": auth_port if is_edge_auth_up else free_port(),
    }
    rendered = edge.render(
        state,
        ports,
        "production",
        certificate=certificate,
        limits=limits,
        trusted_proxies=trusted_proxies,
    )
    command = edge.recipe(rendered).command
    envoy = await asyncio.create_subprocess_exec(*command)

    async def stop() -> None:
        if envoy.returncode is None:
            envoy.terminate()
        await asyncio.wait_for(envoy.wait(), _READY_S)

    try:
        async with asyncio.timeout(_READY_S):
            await url_ready(f"http://127.0.0.1:{ports['edge_admin']}/ready")
        url = f"http://127.0.0.1:{ports['edge']}"
        log = state.log("edge-access")
        yield OwnEdge(
            url,
            made.api_key,
            made.secret,
            stand_in,
            log,
            stop,
            ports["edge_tls"],
            ports["edge_admin"],
        )
    finally:
        await stop()
        await asyncio.gather(payments.stop(None), auth.stop(None))


async def _door(
    wanted: NewClient, rates: Rates, turnstile: Turnstile
) -> tuple[CreatedClient, Door]:
    store = KnownClients()
    made = await create_client(
        wanted, store=store, clock=utc_now, random_bytes=os.urandom, is_unsigned_money_out=True
    )
    return made, door_of(store, rates, turnstile)


def door_of(store: ClientStore, rates: Rates, turnstile: Turnstile) -> Door:
    """Make what requests are held against; who need not sign moves money out unsigned."""
    keys = KeyCache(store, seconds=lambda: 0.0, clock=utc_now, remember_s=5)
    routes = Routes()
    return Door(
        caller_of=keys.caller_of,
        rpc_of=routes.rpc_of,
        shape_of=routes.shape_of,
        texts_of=routes.texts_of,
        turnstile=turnstile,
        rates=rates,
        clock=utc_now,
        is_unsigned_money_out=True,
    )


async def _serve(
    domain: str,
    register: Register,
    timeout_s: float = _PATIENCE_S,
    also: Register | None = None,
) -> tuple[grpc.aio.Server, int]:
    server = make_server(domain, timeout_s, 100)
    for each in (register, also):
        if each is not None:
            each(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, port
