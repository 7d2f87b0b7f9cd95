"""The PSP sandbox, and the gateway beside it: in this process, or killable in one of its own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import grpc
from paymesh.psp.v1 import attempt_pb2 as noun
from paymesh.psp.v1 import payout_pb2 as payout_noun
from paymesh.psp.v1 import psp_gateway_service_pb2 as service
from paymesh.psp.v1.attempt_resolution_service_pb2_grpc import AttemptResolutionServiceStub
from paymesh.psp.v1.dispute_service_pb2_grpc import DisputeServiceStub
from paymesh.psp.v1.psp_gateway_service_pb2_grpc import PspGatewayServiceStub
from paymesh.psp.v1.webhook_service_pb2_grpc import WebhookServiceStub

from chassis.server import Job, add_wiring, make_server
from chassis.settings import Environment, ServerSettings
from devstack.sandbox.app import Options, serving
from devstack.sandbox.app import build as build_sandbox
from devstack.sandbox.paypal.identity import ROOT, keep_identity
from psp_gateway.__main__ import build
from tests.servers import ServiceDatabase, free_port
from tests.unit.psp_gateway.gateway_commands import capture, charge, payout, refund, void

SECRET_KEY = "sk_test_canary_4242"  # pragma: allowlist secret
DEADLINE_S = 60.0


@dataclass
class Sandbox:
    """The sandbox's control, and its record: the ground truth."""

    url: str
    session: aiohttp.ClientSession

    async def fault(self, kind: str, **details: Any) -> None:
        """Put a fault in force; it strikes once unless told otherwise."""
        await self._post("/control/faults", {"kind": kind, **details})

    async def advance(self, seconds: float) -> None:
        """Move the PSP's clock on."""
        await self._post("/control/clock", {"advance_s": seconds})

    async def dark(self, *, dark: bool) -> None:
        """Let the PSP hang up on every call, or answer again."""
        await self._post("/control/dark", {"dark": dark})

    async def authenticate(self, reference: str, result: str) -> None:
        """End a buyer's challenge: complete or fail."""
        url = f"{self.url}/stripe/3ds/{reference}"
        async with self.session.post(
            url, data={"result": result}, allow_redirects=False
        ) as response:
            assert response.status < 400, await response.text()

    async def moved(self, **metadata: str) -> list[tuple[str, int]]:
        """List what happened to money, as (kind, minor units), oldest first."""
        query = {f"metadata.{key}": value for key, value in metadata.items()}
        async with self.session.get(f"{self.url}/control/record", params=query) as response:
            entries = (await response.json())["entries"]
        return [(entry["kind"], entry["amount"]) for entry in entries]

    async def money(self) -> list[tuple[str, int]]:
        """List what moved money or a hold on it, as (kind, minor units), oldest first."""
        return [(kind, amount) for kind, amount in await self.moved() if amount]

    async def webhooks(self, **switches: Any) -> None:
        """Say how webhooks go out."""
        await self._post("/control/webhooks", switches)

    async def dispute(self, psp: str, reference: str, **more: str) -> None:
        """Let a charge be disputed, or a dispute go on by a `step`."""
        await self._post("/control/disputes", {"psp": psp, "reference": reference, **more})

    async def capture_before(self, reference: str) -> int:
        """Tell until when the PSP holds what a PaymentIntent is for, in Unix seconds."""
        headers = {"Authorization": f"Bearer {SECRET_KEY}"}
        url = f"{self.url}/stripe/v1/charges?payment_intent={reference}"
        async with self.session.get(url, headers=headers) as response:
            (charge,) = (await response.json())["data"]
        return int(charge["payment_method_details"]["card"]["capture_before"])

    async def _post(self, path: str, body: dict[str, Any]) -> None:
        async with self.session.post(f"{self.url}{path}", json=body) as response:
            assert response.status < 400, await response.text()


# For tests of what gets no answer; all others wait for as long as it takes.
IMPATIENT = dict.fromkeys(("STRIPE_TIMEOUT_S", "ADYEN_TIMEOUT_S", "PAYPAL_TIMEOUT_S"), "1.5")
ADYEN_KEY = "44782def547aaa06c910c43932b1eb0c"  # pragma: allowlist secret
STRIPE_SECRET = "whsec_canary"  # pragma: allowlist secret
PAYPAL_WEBHOOK_ID = "5GP028458E2496506"


@asynccontextmanager
async def running_sandbox(folder: Path, *, webhook_url: str = "") -> AsyncIterator[Sandbox]:
    """Serve the sandbox from this process until the end of the block. With a URL it sends every
    PSP's webhooks there.
    """
    options = Options(port=0, record=folder / "record.jsonl")
    if webhook_url:
        options = replace(
            options,
            webhook_url=webhook_url,
            stripe_secret=STRIPE_SECRET,
            adyen_key=ADYEN_KEY,
            paypal_identity=kept_identity(folder),
            paypal_webhook_id=PAYPAL_WEBHOOK_ID,
        )
    app, world, postman = build_sandbox(options)
    async with serving(app, world, postman), aiohttp.ClientSession() as session:
        yield Sandbox(world.base_url, session)


def kept_identity(folder: Path) -> Path:
    """Put what PayPal's webhooks are signed with into a folder below this one; tell which."""
    kept = folder / "paypal"
    kept.mkdir(exist_ok=True)
    for name, content in _identity().items():
        (kept / name).write_bytes(content)
    return kept


@cache
def _identity() -> Mapping[str, bytes]:
    """Make it once: drawing its keys takes longer than most tests."""
    with TemporaryDirectory() as folder:
        kept = keep_identity(Path(folder)).parent
        return {file.name: file.read_bytes() for file in kept.iterdir()}


def every_psp(url: str, folder: Path) -> dict[str, str]:
    """Make the settings of a gateway that has every PSP, with webhooks."""
    return {
        "STRIPE_WEBHOOK_SECRET": STRIPE_SECRET,
        "STRIPE_RETURN_URL": "https://shop.example/back",
        "ADYEN_API_KEY": "AQE_canary",  # pragma: allowlist secret
        "ADYEN_API_BASE": f"{url}/adyen",
        "ADYEN_MERCHANT_ACCOUNT": "PaymeshDemo",
        "ADYEN_HMAC_KEY": ADYEN_KEY,
        "ADYEN_RETURN_URL": "https://shop.example/back",
        "ADYEN_BALANCE_ACCOUNT": "BA00000000000000000000001",
        "PAYPAL_CLIENT_ID": "client",
        "PAYPAL_CLIENT_SECRET": "secret_canary",  # pragma: allowlist secret
        "PAYPAL_API_BASE": f"{url}/paypal",
        "PAYPAL_WEBHOOK_ID": PAYPAL_WEBHOOK_ID,
        "PAYPAL_WEBHOOK_ROOTS": str(folder / "paypal" / ROOT),
        "PSP_INBOX_POLL_S": "0.1",
    }


def environment(database: ServiceDatabase, url: str, **settings: str) -> dict[str, str]:
    """Make the settings of a gateway."""
    return {
        "LISTEN": f"127.0.0.1:{free_port()}",
        "ENVIRONMENT": "development",
        "PSP_DATABASE_URL": database.app_url,
        "PSP_DATABASE_CONNECTIONS": "4",
        "STRIPE_API_KEY": SECRET_KEY,
        "STRIPE_API_BASE": f"{url}/stripe",
        "STRIPE_CONNECT_TIMEOUT_S": "30",
        "STRIPE_TIMEOUT_S": "30",
        **settings,
    }


class Gateway:
    """The gateway's RPCs, for one item at a time."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.stub: Any = PspGatewayServiceStub(channel)
        self.webhooks: Any = WebhookServiceStub(channel)
        self.disputes: Any = DisputeServiceStub(channel)
        self.resolutions: Any = AttemptResolutionServiceStub(channel)

    async def charge(self, **fields: str) -> service.AttemptResult:
        """Ask for one charge."""
        return (await self.charges(charge(**fields)))[0]

    async def charges(self, *charges: service.ChargeCommand) -> list[service.AttemptResult]:
        """Ask for charges."""
        request = service.ExecuteChargesRequest(charges=charges)
        return list((await self.stub.ExecuteCharges(request, timeout=DEADLINE_S)).results)

    async def refund(self, **fields: str) -> service.AttemptResult:
        """Ask for one refund."""
        return (await self.refunds(refund(**fields)))[0]

    async def refunds(self, *refunds: service.RefundCommand) -> list[service.AttemptResult]:
        """Ask for refunds."""
        request = service.ExecuteRefundsRequest(refunds=refunds)
        return list((await self.stub.ExecuteRefunds(request, timeout=DEADLINE_S)).results)

    async def payout(self, **fields: str) -> service.PayoutResult:
        """Ask for one payout."""
        return (await self.payouts(payout(**fields)))[0]

    async def payouts(self, *payouts: service.PayoutCommand) -> list[service.PayoutResult]:
        """Ask for payouts."""
        request = service.ExecutePayoutsRequest(payouts=payouts)
        return list((await self.stub.ExecutePayouts(request, timeout=DEADLINE_S)).results)

    async def payouts_of(self, payout_id: str) -> list[payout_noun.Payout]:
        """List a payout's attempts."""
        request = service.ListPayoutsRequest(payout_id=payout_id)
        return list((await self.stub.ListPayouts(request, timeout=DEADLINE_S)).payouts)

    async def hold(self, **fields: str) -> service.AttemptResult:
        """Ask for one charge with manual capture."""
        return (await self.charges(charge(**fields, is_held=True)))[0]

    async def capture(self, **fields: Any) -> service.AttemptResult:
        """Ask for one capture."""
        return (await self.captures(capture(**fields)))[0]

    async def captures(self, *captures: service.CaptureCommand) -> list[service.AttemptResult]:
        """Ask for captures."""
        request = service.ExecuteCapturesRequest(captures=captures)
        return list((await self.stub.ExecuteCaptures(request, timeout=DEADLINE_S)).results)

    async def void(self, **fields: str) -> service.AttemptResult:
        """Ask for one void."""
        return (await self.voids(void(**fields)))[0]

    async def voids(self, *voids: service.VoidCommand) -> list[service.AttemptResult]:
        """Ask for voids."""
        request = service.ExecuteVoidsRequest(voids=voids)
        return list((await self.stub.ExecuteVoids(request, timeout=DEADLINE_S)).results)

    async def settled(self, **fields: str) -> noun.Attempt:
        """Ask for a charge until it is final."""
        return await until_final(lambda: self.charge(**fields))

    async def settled_refund(self, **fields: str) -> noun.Attempt:
        """Ask for a refund until it is final."""
        return await until_final(lambda: self.refund(**fields))

    async def attempts(self, payment_id: str) -> list[noun.Attempt]:
        """List a payment's attempts."""
        request = service.ListAttemptsRequest(payment_id=payment_id)
        return list((await self.stub.ListAttempts(request, timeout=DEADLINE_S)).attempts)


async def until_final(ask: Callable[[], Awaitable[service.AttemptResult]]) -> noun.Attempt:
    """Ask for an attempt until it is final."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            attempt = (await ask()).attempt
            if attempt.outcome in (noun.Attempt.SUCCEEDED, noun.Attempt.DECLINED):
                return attempt
            await asyncio.sleep(0.05)


@asynccontextmanager
async def served(database: ServiceDatabase, url: str, **settings: str) -> AsyncIterator[Gateway]:
    """Serve the gateway in this process."""
    values = environment(database, url, **settings)
    read = ServerSettings.read(Environment(values), "psp_gateway")
    async with AsyncExitStack() as stack:
        wiring = await build(read, Environment(values), stack)
        server = make_server("psp.paymesh", 60.0, 4096)
        add_wiring(server, wiring, with_reflection=False)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        stack.push_async_callback(server.stop, None)
        await stack.enter_async_context(_working(wiring.jobs))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{port}"))
        yield Gateway(channel)


@asynccontextmanager
async def _working(jobs: Iterable[Job]) -> AsyncIterator[None]:
    """Run jobs until the end of the block."""
    stopping = asyncio.Event()
    running = [asyncio.create_task(job(stopping)) for job in jobs]
    try:
        yield
    finally:
        stopping.set()
        await asyncio.gather(*running)


@asynccontextmanager
async def gateway_process(
    database: ServiceDatabase, url: str, *, log: int | None = None, **settings: str
) -> AsyncIterator[tuple[Gateway, asyncio.subprocess.Process]]:
    """Run the gateway as a process of its own; its log goes to the file descriptor `log`."""
    values = environment(database, url, **settings)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "psp_gateway"), env={**os.environ, **values}, stderr=log
    )
    try:
        async with grpc.aio.insecure_channel(values["LISTEN"]) as channel:
            async with asyncio.timeout(DEADLINE_S):
                await channel.channel_ready()
            yield Gateway(channel), process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
