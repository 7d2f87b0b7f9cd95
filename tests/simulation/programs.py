"""The programs of the simulation: the services' own parts, wired as their `__main__` wires them."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any, cast

from paymesh.payment.v1 import psp_event_service_pb2 as events

from chassis.faults import FaultPoints
from chassis.ids import new_id
from chassis.telemetry import logger
from ledger_svc import ports as ledger_ports
from ledger_svc.servicer import LedgerServicer
from payment_svc.clients import GrpcServices
from payment_svc.coordinator import Coordinator
from payment_svc.domain.payment import Payment
from payment_svc.operations.attempts import GrpcAttempts
from payment_svc.operations.ports import LateCharges, OperatorStore, ResolutionStore
from payment_svc.operations.wiring import Operations
from payment_svc.ports import (
    Accepted,
    PaymentStore,
    Returns,
    SagaStore,
    Services,
)
from payment_svc.psp_event_servicer import PaymentPspEventService
from payment_svc.psp_events import PspEvents
from payment_svc.returns import GrpcReturns
from payment_svc.sagas.journey import Move
from payment_svc.sagas.policy import RetryPolicy
from payment_svc.sellers import AnySeller
from payment_svc.use_cases.cancel_payment import cancel_payment
from payment_svc.use_cases.capture_payment import CapturePayment, capture_payment
from payment_svc.use_cases.create_payment import CreatePayment, create_payment
from payment_svc.use_cases.get_payment import get_payment
from payment_svc.use_cases.resume_payment import resume_payment
from payment_svc.witnesses import GrpcWitnesses
from psp_gateway.domain.attempt import Attempt, Stage
from psp_gateway.domain.capabilities import Capabilities
from psp_gateway.domain.errors import BadSignature
from psp_gateway.domain.inbox import Raw
from psp_gateway.domain.routing import Rule, Weighted
from psp_gateway.guard import Guard
from psp_gateway.payout_servicer import PayoutCalls
from psp_gateway.ports import Provider
from psp_gateway.providers.stripe.client import StripeClient
from psp_gateway.providers.stripe.provider import CAPABILITIES, StripeProvider
from psp_gateway.providers.stripe.webhooks import StripeWebhooks
from psp_gateway.resolution_servicer import AttemptResolutionServicer
from psp_gateway.running import Running
from psp_gateway.servicer import PspGatewayServicer
from psp_gateway.use_cases.apply_events import Applying, apply_events
from psp_gateway.use_cases.follow_disputes import Following
from psp_gateway.use_cases.receive_webhook import Receiving, receive_webhook
from psp_gateway.use_cases.route_charge import Router
from psp_gateway.use_cases.take_further import Means
from risk_svc.domain.assessment import Subject
from risk_svc.servicer import RiskAssessor
from risk_svc.use_cases.assess_payments import Limits
from tests.simulation.attempts import Attempts
from tests.simulation.books import Assessments, Ledger, WalletBook
from tests.simulation.chance import Chance
from tests.simulation.clockwork import Process, SimulatedLoop
from tests.simulation.internet import SECRET, Client
from tests.simulation.network import Network
from tests.simulation.office import EXPIRES_AFTER, Office
from tests.simulation.outbox import OutboxTable, Stream, relay_of
from tests.simulation.payments import PaymentPlace, Payments
from tests.simulation.poison import Poisoned
from tests.simulation.psp import KEYS_KEPT_S, Psp
from tests.simulation.resolutions import OperatorPlace, ResolutionPlace, Resolutions
from wallet_svc import ports as wallet_ports
from wallet_svc.servicer import WalletServicer

LEASE = timedelta(seconds=30)
RISK_AMOUNT_MAX = 900
_RPC_TIMEOUT_S = 10.0
_EVENTS_AT_ONCE = 256
_ANSWER_S = 5.0
_KEY = b"0123456789abcdef"
_CAPABILITIES = replace(
    CAPABILITIES, key_retention=dict.fromkeys(Stage, timedelta(seconds=KEYS_KEPT_S))
)


@dataclass(slots=True)
class Parts:
    """What programs are made of; a mutant exchanges one of them."""

    loop: SimulatedLoop
    chance: Chance
    network: Network
    psps: dict[str, Psp]
    payments: Payments
    attempts: Attempts
    ledger: Ledger
    wallets: WalletBook
    assessments: Assessments
    stream: Stream
    table: OutboxTable
    resolutions: Resolutions
    policy: RetryPolicy
    kill: Callable[[Process], None]
    lease: timedelta = LEASE
    place: type[PaymentPlace] = PaymentPlace
    resolution_place: type[ResolutionPlace] = ResolutionPlace
    operations: type[Operations] = Operations
    services: Callable[[Services], Services] = lambda services: services
    client: Callable[[Any], Any] = lambda client: client
    provider: Callable[[Provider], Provider] = lambda provider: provider
    resolving: Callable[[AttemptResolutionServicer], Any] = lambda servicer: servicer

    def new_id(self, prefix: str) -> str:
        """Make an id of this seed."""
        return new_id(prefix, self.loop.now(), self.chance.bytes)


Job = Coroutine[Any, Any, None]
Program = Callable[[Parts, Process], tuple[Any, Sequence[Job]]]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Who is told of buyers that come back, and what is done about what PSPs tell."""

    returns: Returns
    psp_events: PspEvents


class Api:
    """payment_svc as it is called: by clients, through the use cases, and by the gateway."""

    def __init__(
        self,
        parts: Parts,
        process: Process,
        place: PaymentPlace,
        known: Neighbours,
        office: Office,
        begun: Any,
    ) -> None:
        self._office = office
        self._new_id = parts.new_id
        self._clock = process.clock
        self._store = cast("PaymentStore", place)
        self._sagas = cast("SagaStore", place)
        self._returns = known.returns
        self._begun = begun
        self._events = PaymentPspEventService(known.psp_events, woken=begun)

    def __getattr__(self, method: str) -> Any:
        return getattr(self._office, method)

    async def create(self, command: CreatePayment, _: Any) -> Accepted:
        """Accept a payment."""
        accepted = await create_payment(
            command,
            store=self._store,
            sellers=AnySeller(),
            clock=self._clock,
            new_id=self._new_id,
            render=_render,
        )
        self._begun()
        return accepted

    async def capture(self, command: CapturePayment, _: Any) -> Accepted:
        """Take what is held."""
        accepted = await capture_payment(
            command, store=self._store, clock=self._clock, new_id=self._new_id, render=_render
        )
        self._begun()
        return accepted

    async def cancel(self, command: CapturePayment, _: Any) -> Accepted:
        """Let go of what is held."""
        accepted = await cancel_payment(
            command.asked,
            command.payment_id,
            store=self._store,
            clock=self._clock,
            new_id=self._new_id,
            render=_render,
        )
        self._begun()
        return accepted

    async def get(self, asked: tuple[str, str], _: Any) -> Payment:
        """Read a payment of a client."""
        return await get_payment(*asked, store=self._store)

    async def resume(self, asked: tuple[str, str], _: Any) -> Payment:
        """Go on with a payment whose buyer has come back."""
        payment = await resume_payment(
            *asked, {"redirect_status": "succeeded"},
            store=self._store, returns=self._returns, sagas=self._sagas,
        )  # fmt: skip
        self._begun()
        return payment

    async def ApplyPspEvents(self, request: Any, context: Any) -> Any:
        """Hear of news."""
        return await self._events.ApplyPspEvents(request, context)


def payment_program(parts: Parts, process: Process) -> tuple[Any, Sequence[Job]]:
    """Wire payment_svc."""
    stubs = {name: parts.network.stub(name, process.name) for name in ("risk", "psp", "wallet")}
    ledger = parts.network.stub("ledger", process.name)
    services = GrpcServices(
        risk_stub=cast("Any", stubs["risk"]),
        psp_stub=cast("Any", stubs["psp"]),
        wallet_stub=cast("Any", stubs["wallet"]),
        ledger_stub=cast("Any", ledger),
        fingerprint_key=_KEY,
        timeout_s=_RPC_TIMEOUT_S,
    )
    place = parts.place(parts.payments, process, lease=parts.lease, new_id=parts.new_id)
    work, told = asyncio.Event(), asyncio.Event()
    kill = partial(parts.kill, process)
    coordinator = Coordinator(
        cast("SagaStore", place),
        parts.services(cast("Services", Poisoned(services, parts.payments.poison, kill))),
        clock=process.clock,
        in_flight_max=16,
        policy=parts.policy,
        faults=FaultPoints(),
        moved=partial(_moved, work),
        chance=parts.chance.draw,
    )
    parts.payments.bells[process.name] = work.set
    parts.payments.relay_bells[process.name] = told.set
    relay = relay_of(parts.table, parts.stream)
    returns = GrpcReturns(cast("Any", stubs["psp"]), _RPC_TIMEOUT_S)
    witnesses = GrpcWitnesses(
        risk_stub=cast("Any", stubs["risk"]),
        psp_stub=cast("Any", stubs["psp"]),
        wallet_stub=cast("Any", stubs["wallet"]),
        ledger_stub=cast("Any", ledger),
        inbox_stub=cast("Any", stubs["psp"]),
    )
    at_rest = cast("Any", place)
    psp_events = PspEvents(at_rest, at_rest, at_rest, witnesses, process.clock)
    operations = _operations(parts, process, stubs["psp"], psp_events, work.set)
    approved = asyncio.Event()
    parts.resolutions.bells[process.name] = approved.set
    office = Office(operations)
    api = Api(parts, process, place, Neighbours(returns, psp_events), office, work.set)

    async def walk() -> None:
        await place.release_own()
        await _whenever(work, coordinator.claim_and_walk)

    async def publish() -> bool:
        await relay.publish()
        return False  # what is left is rung for

    apply = operations.apply_approved
    return api, [walk(), _whenever(told, publish), _whenever(approved, apply)]


def _operations(
    parts: Parts,
    process: Process,
    psp_stub: Any,
    late_charges: LateCharges,
    woken: Callable[[], None],
) -> Operations:
    resolutions = parts.resolution_place(parts.resolutions, lease=parts.lease, new_id=parts.new_id)
    return parts.operations(
        store=cast("OperatorStore", OperatorPlace(parts.resolutions)),
        resolutions=cast("ResolutionStore", resolutions),
        attempts=GrpcAttempts(psp_stub, _RPC_TIMEOUT_S),
        late_charges=late_charges,
        clock=process.clock,
        new_id=parts.new_id,
        policy=parts.policy,
        expires_after=EXPIRES_AFTER,
        certified_only=False,
        woken=woken,
        faults=FaultPoints(),
    )


class KeysKept(StripeProvider):
    """Stripe's provider, knowing that the simulated PSP keeps keys for a shorter time."""

    @property
    def capabilities(self) -> Capabilities:
        """See `ports.Provider`."""
        return _CAPABILITIES


class Gateway:
    """psp_gateway as it is called: by payment_svc, and by the PSPs' webhooks."""

    def __init__(
        self,
        servicer: PspGatewayServicer,
        resolving: AttemptResolutionServicer,
        receiving: Receiving,
        process: Process,
    ) -> None:
        self._servicer = servicer
        self.ResolveAttempts = resolving.ResolveAttempts
        self._receiving = receiving
        self._process = process
        self.arrived = asyncio.Event()

    def __getattr__(self, method: str) -> Any:
        return getattr(self._servicer, method)

    async def take_webhook(self, sent: tuple[str, Any, bytes], _: Any) -> None:
        """Take in a webhook; one whose signature is not believed is refused for good."""
        psp, headers, body = sent
        try:
            await receive_webhook(self._receiving, Raw(psp, headers, body), self._process.clock())
        except BadSignature:
            return
        self.arrived.set()


class NewsToPayments:
    """`psp_gateway.ports.Listener` at payment_svc."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    async def apply(
        self, payment_ids: Sequence[str], doubtful_ids: Sequence[str] = ()
    ) -> Sequence[str]:
        """See `ports.Listener`."""
        request = events.ApplyPspEventsRequest(
            payment_ids=payment_ids, doubtful_payment_ids=doubtful_ids
        )
        answer = await self._stub.ApplyPspEvents(request, timeout=5.0)
        return list(answer.undecided_payment_ids)


def gateway_program(parts: Parts, process: Process) -> tuple[Any, Sequence[Job]]:
    """Wire psp_gateway."""
    providers: Mapping[str, Provider] = {
        name: parts.provider(
            KeysKept(cast("StripeClient", parts.client(Client(parts.loop, parts.chance, psp))))
        )
        for name, psp in parts.psps.items()
    }
    guards = {name: Guard(name, process.clock) for name in providers}
    running = Running[Attempt](answer_s=_ANSWER_S, count_max=1000)
    means = Means(
        parts.attempts, providers, guards, process.clock, FaultPoints(), noted=running.saw
    )
    rules = [Rule("all", tuple(Weighted(name, 1) for name in providers))]
    servicer = PspGatewayServicer(
        means,
        Router(rules, providers, guards),
        parts.attempts,
        running,
        guards,
        cast("PayoutCalls", None),
        fingerprint_key=_KEY,
    )
    readers = {name: StripeWebhooks([SECRET]) for name in providers}
    receiving = Receiving(readers, parts.attempts, cast("Any", None))
    resolving = parts.resolving(AttemptResolutionServicer(means, parts.attempts))
    gateway = Gateway(servicer, resolving, receiving, process)
    following = Following(cast("Any", None), {}, {}, guards, process.clock)
    listener = NewsToPayments(parts.network.stub("payment", process.name))
    applying = Applying(means, parts.attempts, listener, {}, following, _blame)
    parts.attempts.bells[process.name] = gateway.arrived.set

    async def apply() -> bool:
        claimed = await parts.attempts.claim(_EVENTS_AT_ONCE)
        if claimed:
            await parts.attempts.settle(await apply_events(applying, claimed))
        return False

    return gateway, [_whenever(gateway.arrived, apply)]


def _blame(what: str, error: Exception) -> None:
    """Let nothing pass that a service in the field would only log."""
    raise AssertionError(what) from error


def ledger_program(parts: Parts, process: Process) -> tuple[Any, Sequence[Job]]:
    """Wire ledger_svc."""
    writer = cast("ledger_ports.LedgerWriter", parts.ledger)
    nobody = cast("Any", None)
    return LedgerServicer(writer, nobody, nobody, clock=process.clock), []


def wallet_program(parts: Parts, process: Process) -> tuple[Any, Sequence[Job]]:
    """Wire wallet_svc."""
    writer = cast("wallet_ports.WalletWriter", parts.wallets)
    nobody = cast("Any", None)
    return WalletServicer(writer, nobody, nobody, clock=process.clock), []


def risk_program(parts: Parts, process: Process) -> tuple[Any, Sequence[Job]]:
    """Wire risk_svc."""
    limits = Limits(dict.fromkeys(Subject, 0), RISK_AMOUNT_MAX, {})
    store = parts.assessments
    return RiskAssessor(store, store, limits=limits, clock=process.clock), []


PROGRAMS: Mapping[str, tuple[Program, int]] = {
    "payment": (payment_program, 2),
    "psp": (gateway_program, 2),
    "ledger": (ledger_program, 1),
    "wallet": (wallet_program, 1),
    "risk": (risk_program, 1),
}


async def _whenever(bell: asyncio.Event, work: Callable[[], Awaitable[bool]]) -> None:
    """Do work as `chassis.server.repeat` does, at each ring of a bell: the disks ring when
    something is due, which saves the polling of ten days.
    """
    while True:
        bell.clear()
        try:
            if await work():
                continue
        except Exception as error:  # noqa: BLE001 - a loop must outlive any failure
            logger().warning("job_failed", error=repr(error))
        await bell.wait()


def _render(payment: Payment) -> bytes:
    return json.dumps({"payment_id": payment.payment_id, "status": payment.status}).encode()


def _moved(work: asyncio.Event, move: Move) -> None:
    if move.follow_up is not None:
        work.set()
