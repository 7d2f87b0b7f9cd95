"""The programs of the simulation: the services' own parts, wired as their `__main__` wires them."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from chassis.faults import FaultPoints
from ledger_svc import ports as ledger_ports
from ledger_svc.servicer import LedgerServicer
from payment_svc.clients import GrpcServices
from payment_svc.coordinator import Coordinator
from payment_svc.domain.payment import Payment
from payment_svc.operations.attempts import GrpcAttempts
from payment_svc.operations.ports import LateCharges, OperatorStore, ResolutionStore
from payment_svc.operations.wiring import Operations
from payment_svc.ports import Accepted, PaymentStore, Returns, SagaStore, Services
from payment_svc.psp_event_servicer import PaymentPspEventService
from payment_svc.psp_events import PspEvents
from payment_svc.returns import GrpcReturns
from payment_svc.sagas.journey import Move
from payment_svc.sellers import AnySeller
from payment_svc.use_cases.cancel_payment import cancel_payment
from payment_svc.use_cases.capture_payment import CapturePayment, capture_payment
from payment_svc.use_cases.create_payment import CreatePayment, create_payment
from payment_svc.use_cases.get_payment import get_payment
from payment_svc.use_cases.resume_payment import resume_payment
from payment_svc.witnesses import GrpcWitnesses
from risk_svc.domain.assessment import Subject
from risk_svc.servicer import RiskAssessor
from risk_svc.use_cases.assess_payments import Limits
from tests.simulation.clockwork import Process
from tests.simulation.gateway_program import gateway_program
from tests.simulation.office import EXPIRES_AFTER, Office
from tests.simulation.outbox import relay_of
from tests.simulation.parts import FINGERPRINT_KEY, Job, Parts, Program, whenever
from tests.simulation.payment_place import PaymentPlace
from tests.simulation.poison import Poisoned
from tests.simulation.resolutions import OperatorPlace
from wallet_svc import ports as wallet_ports
from wallet_svc.servicer import WalletServicer

RISK_AMOUNT_MAX = 900
_RPC_TIMEOUT_S = 10.0


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
        fingerprint_key=FINGERPRINT_KEY,
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
        await whenever(work, coordinator.claim_and_walk)

    async def publish() -> bool:
        await relay.publish()
        return False  # what is left is rung for

    apply = operations.apply_approved
    return api, [walk(), whenever(told, publish), whenever(approved, apply)]


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


def _render(payment: Payment) -> bytes:
    return json.dumps({"payment_id": payment.payment_id, "status": payment.status}).encode()


def _moved(work: asyncio.Event, move: Move) -> None:
    if move.follow_up is not None:
        work.set()
