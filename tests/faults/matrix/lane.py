"""A lane: a small mesh of real processes with databases and a sandbox of its own, in which one case
at a time is played. Whoever dies is started again at once.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import grpc
import psycopg
from grpc_health.v1 import health_pb2, health_pb2_grpc
from paymesh.payment.v1 import webhook_endpoint_service_pb2 as endpoints
from paymesh.payment.v1.payment_service_pb2_grpc import PaymentServiceStub
from paymesh.payment.v1.webhook_endpoint_service_pb2_grpc import WebhookEndpointServiceStub
from paymesh.psp.v1.webhook_service_pb2_grpc import WebhookServiceStub
from psycopg.rows import dict_row

from devstack.trail import Operator
from tests.faults.matrix.processes import Forked, Nursery
from tests.faults.matrix.settings import NAMES, STRIPE_SECRET, Place
from tests.faults.matrix.tellings import Tellings

CLIENT = "demo"
_READY_S = 60.0
_PAUSE_S = 0.02
_PAUSE_AFTER_EXIT_S = 0.3
_CHANNEL = (
    ("grpc.initial_reconnect_backoff_ms", 30),
    ("grpc.min_reconnect_backoff_ms", 30),
    ("grpc.max_reconnect_backoff_ms", 100),
)


@dataclass(frozen=True, slots=True)
class Death:
    """How a service ended: -9 is a kill."""

    service: str
    status: int


@dataclass(slots=True)
class Lane:
    """See the module."""

    place: Place
    tellings: Tellings
    nurseries: Mapping[str, Nursery]
    http: aiohttp.ClientSession
    operator: Operator
    payments: PaymentServiceStub
    database: psycopg.AsyncConnection[dict[str, Any]]
    inbox: psycopg.AsyncConnection[dict[str, Any]]
    alive: dict[str, Forked] = field(default_factory=dict)
    deaths: list[Death] = field(default_factory=list)
    is_closing: bool = False
    plans: dict[str, list[str]] = field(default_factory=dict)

    async def keep(self, service: str) -> None:
        """Start a service, and again whenever it ends."""
        nursery, log = self.nurseries[service], self.place.folder / f"{service}.log"
        while not self.is_closing:
            process = await nursery.fork(self.place.environment(service), log)
            self.alive[service] = process
            status = await process.ended
            if not self.is_closing:
                self.deaths.append(Death(service, status))
                self._plan_next(service)
                await asyncio.sleep(0 if status == -signal.SIGKILL else _PAUSE_AFTER_EXIT_S)

    def arm(self, service: str, plans: list[str]) -> None:
        """Have a service die at a point, and its next runs at those that follow."""
        self.deaths.clear()
        self.plans[service] = list(plans)
        self._plan_next(service)

    def disarm(self) -> None:
        """Let nobody die any more."""
        for service in NAMES:
            self.plans[service] = []
            self._plan_next(service)

    def _plan_next(self, service: str) -> None:
        """Write what the service's present or next run dies of; nothing when no plan is left."""
        left = self.plans.get(service, [])
        fresh = self.place.plan(service).with_suffix(".new")
        fresh.write_text(left.pop(0) if left else "")
        fresh.replace(self.place.plan(service))

    async def control(self, method: str, path: str, body: object = None) -> Any:
        """Tell the sandbox something, or ask it."""
        url = f"{self.place.sandbox_url}/control/{path}"
        async with self.http.request(method, url, json=body) as response:
            response.raise_for_status()
            return await response.json()

    async def rows(self, query: str, *parameters: object) -> list[dict[str, Any]]:
        """Ask the database of the payments."""
        return await (await self.database.execute(query, parameters)).fetchall()  # type: ignore[arg-type]

    async def row(self, query: str, **parameters: object) -> dict[str, Any] | None:
        """Ask the database of the payments for one row, by named parameters; None without one."""
        return await (await self.database.execute(query, parameters)).fetchone()  # type: ignore[arg-type]

    async def events_left(self) -> int:
        """Count what PSPs told and nobody has applied yet."""
        found = await self.inbox.execute(
            "SELECT count(*) AS open FROM webhook_events WHERE state = 'NEW'"
        )
        (row,) = await found.fetchall()
        return int(row["open"])

    def close(self) -> None:
        """End all processes."""
        self.is_closing = True
        for process in self.alive.values():
            process.signal(signal.SIGKILL)


@asynccontextmanager
async def running(
    place: Place, nurseries: Mapping[str, Nursery], tellings: Tellings
) -> AsyncIterator[Lane]:
    """Run a lane for the time of a block."""
    for service in NAMES:
        place.plan(service).write_text("")
    payment_channel = grpc.aio.insecure_channel(place.target("payment_svc"), options=_CHANNEL)
    gateway_channel = grpc.aio.insecure_channel(place.target("psp_gateway"), options=_CHANNEL)
    async with (
        payment_channel,
        gateway_channel,
        aiohttp.ClientSession() as http,
        Operator(place.described()) as operator,
        await _connection(place, "payment_svc") as database,
        await _connection(place, "psp_gateway") as inbox,
    ):
        payments = PaymentServiceStub(payment_channel)
        lane = Lane(place, tellings, nurseries, http, operator, payments, database, inbox)
        tellings.gateway = WebhookServiceStub(gateway_channel)
        keepers = [asyncio.create_task(lane.keep(service)) for service in NAMES]
        sandbox = await _sandbox(lane)
        try:
            await _until_serving(lane)
            await _subscribe(WebhookEndpointServiceStub(payment_channel), f"{tellings.url}/shop")
            yield lane
        finally:
            lane.close()
            tellings.gateway = None
            sandbox.signal(signal.SIGKILL)
            await asyncio.gather(*keepers, sandbox.ended)


async def _connection(place: Place, service: str) -> psycopg.AsyncConnection[dict[str, Any]]:
    return await psycopg.AsyncConnection.connect(
        place.databases[service].owner_url, autocommit=True, row_factory=dict_row
    )


async def _sandbox(lane: Lane) -> Forked:
    place = lane.place
    arguments = ["--port", str(place.ports["sandbox"])]
    arguments += ["--record", str(place.folder / "record.jsonl")]
    arguments += ["--webhook-url", f"{lane.tellings.url}/v1/webhooks"]
    told = {"SANDBOX_STRIPE_WEBHOOK_SECRET": STRIPE_SECRET}
    nursery = lane.nurseries["devstack.sandbox"]
    return await nursery.fork(told, place.folder / "sandbox.log", arguments)


async def _until_serving(lane: Lane) -> None:
    async with asyncio.timeout(_READY_S):
        for service in NAMES:
            await until_serving(lane.place.target(service))
        while True:
            try:
                await lane.control("GET", "state")
                return
            except aiohttp.ClientError:
                await asyncio.sleep(_PAUSE_S)


async def until_serving(target: str) -> None:
    """Wait until a service says that it serves."""
    async with grpc.aio.insecure_channel(target, options=_CHANNEL) as channel:
        ask = health_pb2_grpc.HealthStub(channel)
        while True:
            try:
                answer = await ask.Check(health_pb2.HealthCheckRequest(), timeout=1.0)
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
            except grpc.aio.AioRpcError:
                pass
            await asyncio.sleep(_PAUSE_S)


async def _subscribe(stub: WebhookEndpointServiceStub, url: str) -> None:
    request = endpoints.CreateWebhookEndpointRequest(url=url)
    await stub.CreateWebhookEndpoint(request, metadata=client_metadata("endpoint"), timeout=10.0)


def client_metadata(key: str) -> tuple[tuple[str, str], ...]:
    """Make what the edge adds to a client's call, and the client's own key."""
    return (("x-paymesh-client-id", CLIENT), ("idempotency-key", key))
