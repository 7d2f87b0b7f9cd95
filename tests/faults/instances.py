"""Lanes for the tests of fencing: a lane of a test's own, and more instances of its services."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import aiohttp
import grpc
from paymesh.payment.v1 import payment_pb2
from paymesh.payment.v1 import payment_service_pb2 as service
from paymesh.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from tests.faults.matrix.lane import Lane, client_metadata, running, until_serving
from tests.faults.matrix.processes import Forked, Nursery
from tests.faults.matrix.settings import NAMES, Place, claim_ports
from tests.faults.matrix.tellings import listening
from tests.servers import PostgresServer, free_port

DEADLINE_S = 60.0
_PAUSE_S = 0.03
Settings = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Instance:
    """A running instance of a service."""

    process: Forked
    target: str
    metrics_url: str

    async def until_stopped(self) -> None:
        """Wait until a fault point has stopped it."""
        async with asyncio.timeout(DEADLINE_S):
            while _state(self.process.pid) != "T":
                await asyncio.sleep(_PAUSE_S)

    def go_on(self) -> None:
        """Wake it from its sleep."""
        self.process.signal(signal.SIGCONT)

    async def count(self, metric: str, **labels: str) -> int:
        """Sum a metric over the lines that have these labels."""
        async with aiohttp.ClientSession() as http, http.get(self.metrics_url) as response:
            text = await response.text()
        lines = re.findall(rf"^{metric}(?:{{(.*)}})? (\S+)$", text, re.MULTILINE)
        wanted = [f'{name}="{value}"' for name, value in labels.items()]
        found = (float(value) for told, value in lines if all(one in told for one in wanted))
        return int(sum(found))

    async def until_fenced(self, of: str) -> None:
        """Wait until a late write of it was refused."""
        await until(lambda: self._is_fenced(of))

    async def _is_fenced(self, of: str) -> bool:
        return await self.count("paymesh_fenced_writes_total", of=of) > 0


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(DEADLINE_S):
        while not await is_so():
            await asyncio.sleep(_PAUSE_S)


@asynccontextmanager
async def own_lane(
    folder: Path,
    forks: Mapping[str, Nursery],
    postgres: PostgresServer,
    redis_url: str,
    more: Settings,
) -> AsyncIterator[Lane]:
    """Run a lane of the test's own; `more` are settings by service."""
    metrics = {name: {"METRICS_LISTEN": f"127.0.0.1:{free_port()}"} for name in NAMES}
    told = {name: {**metrics[name], **more.get(name, {})} for name in NAMES}
    with ExitStack() as stack:
        databases = {name: stack.enter_context(postgres.own_database(name)) for name in NAMES}
        place = Place(folder, claim_ports(set()), databases, redis_url, told)
        async with listening() as tellings, running(place, forks, tellings) as lane:
            yield lane


def first(lane: Lane, name: str) -> Instance:
    """Name the instance that a lane has of itself."""
    listen = lane.place.environment(name)["METRICS_LISTEN"]
    return Instance(lane.alive[name], lane.place.target(name), f"http://{listen}/metrics")


@asynccontextmanager
async def second(lane: Lane, name: str, **settings: str) -> AsyncIterator[Instance]:
    """Run another instance of a service over the same database."""
    listen, metrics = (f"127.0.0.1:{free_port()}" for _ in range(2))
    told = {
        **lane.place.environment(name),
        "LISTEN": listen,
        "METRICS_LISTEN": metrics,
        "INSTANCE_ID": f"{name}-1",
        "FAULT_POINTS": "",
        "CLOCK_SKEW_S": "0",
        **settings,
    }
    process = await lane.nurseries[name].fork(told, lane.place.folder / f"{name}-1.log")
    try:
        async with asyncio.timeout(DEADLINE_S):
            await until_serving(listen)
        yield Instance(process, listen, f"http://{metrics}/metrics")
    finally:
        await process.kill()


async def pay(stub: PaymentServiceStub, *, is_manual: bool = False) -> str:
    """Create a payment; answer its id."""
    order = payment_pb2.NewPaymentOrder(
        seller_account="seller_1", amount="99.99", currency="USD", payment_order_id=str(uuid4())
    )
    kind = payment_pb2.Payment
    request = service.CreatePaymentRequest(
        buyer_info=payment_pb2.BuyerInfo(id="buyer_1"),
        checkout_id="checkout_1",
        credit_card_info=payment_pb2.CreditCardInfo(token="tok_visa"),
        payment_orders=[order],
        capture_method=kind.MANUAL if is_manual else kind.AUTOMATIC,
    )
    created = await stub.CreatePayment(request, metadata=client_metadata(str(uuid4())), timeout=30)
    return str(created.payment_id)


@asynccontextmanager
async def payments_of(instance: Instance) -> AsyncIterator[PaymentServiceStub]:
    """Talk to an instance of payment_svc."""
    async with grpc.aio.insecure_channel(instance.target) as channel:
        yield PaymentServiceStub(channel)


async def until_all(lane: Lane, payment_ids: list[str], status: str) -> None:
    """Wait until payments have a status and nothing of them is under way."""

    async def are_so() -> bool:
        (row,) = await lane.rows(
            "SELECT (SELECT count(*) FROM payments WHERE payment_id = ANY(%s) AND status <> %s)"
            " + (SELECT count(*) FROM sagas WHERE queue IN ('PAYMENT', 'RETRY')"
            "    OR queue = 'WAITING' AND reason <> 'NOT_DUE')"
            " + (SELECT count(*) FROM webhook_deliveries WHERE status = 'PENDING') AS open",
            payment_ids,
            status,
        )
        return bool(row["open"] == 0)

    await until(are_so)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
