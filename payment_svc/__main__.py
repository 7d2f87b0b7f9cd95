"""payment_svc: settings, wiring, serve."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial

from paymesh.ledger.v1 import ledger_service_pb2, ledger_service_pb2_grpc
from paymesh.payment.v1 import (
    operations_service_pb2_grpc,
    payment_service_pb2_grpc,
    psp_event_service_pb2_grpc,
    webhook_endpoint_service_pb2_grpc,
)
from paymesh.psp.v1 import (
    psp_gateway_service_pb2,
    psp_gateway_service_pb2_grpc,
    webhook_service_pb2,
    webhook_service_pb2_grpc,
)
from paymesh.risk.v1 import risk_service_pb2, risk_service_pb2_grpc
from paymesh.wallet.v1 import wallet_service_pb2, wallet_service_pb2_grpc
from redis.asyncio import Redis

from chassis.channel import open_channel
from chassis.clock import utc_now
from chassis.database import Database
from chassis.faults import FaultPoints
from chassis.ids import new_id
from chassis.outbox import Relay
from chassis.server import Wiring, main
from chassis.settings import Environment, ServerSettings
from payment_svc import jobs
from payment_svc.admission import QueueAdmission
from payment_svc.case_store import PostgresCaseStore
from payment_svc.clients import GrpcServices
from payment_svc.coordinator import Coordinator
from payment_svc.operations_servicer import PaymentOperationsService
from payment_svc.ports import Returns, Sellers, Witnesses
from payment_svc.psp_event_servicer import PaymentPspEventService
from payment_svc.returns import GrpcReturns
from payment_svc.saga_store import PostgresSagaStore
from payment_svc.sagas.journey import Move
from payment_svc.sellers import AnySeller, GrpcSellers
from payment_svc.servicer import PublicPaymentService
from payment_svc.settings import PaymentSettings
from payment_svc.store import PostgresPaymentStore
from payment_svc.waiting import Waiters
from payment_svc.webhooks.wiring import Webhooks
from payment_svc.witnesses import GrpcWitnesses

_NAMES = (
    "paymesh.payment.v1.PaymentService",
    "paymesh.payment.v1.OperationsService",
    "paymesh.payment.v1.PspEventService",
    "paymesh.payment.v1.WebhookEndpointService",
)
_PAYMENTS = payment_service_pb2_grpc.add_PaymentServiceServicer_to_server
_OPERATIONS = operations_service_pb2_grpc.add_OperationsServiceServicer_to_server
_PSP_EVENTS = psp_event_service_pb2_grpc.add_PspEventServiceServicer_to_server
_WEBHOOKS = webhook_endpoint_service_pb2_grpc.add_WebhookEndpointServiceServicer_to_server
_STREAM = "events.payment"


async def build(server: ServerSettings, environment: Environment, stack: AsyncExitStack) -> Wiring:
    """Wire the service."""
    settings = PaymentSettings.read(environment, server)
    database = Database(settings.database_url, connections=settings.database_connections)
    await database.open()
    stack.push_async_callback(database.close)
    redis = Redis.from_url(settings.redis_url, decode_responses=True)
    stack.push_async_callback(redis.aclose)

    work, events, waiters = asyncio.Event(), asyncio.Event(), Waiters()
    payments = PostgresPaymentStore(database, utc_now)
    sagas = PostgresSagaStore(
        database, owner=server.instance_id, lease=settings.lease, new_id=_make_id, clock=utc_now
    )
    faults = FaultPoints.parse(server.fault_points, server.environment)
    webhooks = await Webhooks.open(database, settings.webhooks, server.instance_id, faults, stack)

    admission = QueueAdmission(settings.backlog)
    services, sellers, witnesses, returns = await connect(settings, stack)
    coordinator = Coordinator(
        sagas,
        services,
        clock=utc_now,
        in_flight_max=settings.sagas_in_flight_max,
        policy=settings.policy,
        faults=faults,
        moved=partial(_tell, waiters, (events, webhooks.wake), work),
    )
    public = PublicPaymentService(
        payments,
        waiters,
        sellers=sellers,
        returns=returns,
        sagas=sagas,
        return_urls=settings.return_urls,
        clock=utc_now,
        new_id=_make_id,
        fingerprint_key=settings.fingerprint_key,
        begun=work.set,
        admission=admission,
    )
    cases = PostgresCaseStore(database)
    operations = PaymentOperationsService(
        payments, sagas, witnesses, utc_now, settings.policy, cases
    )
    psp_events = PaymentPspEventService(
        payments, sagas, sagas, witnesses, clock=utc_now, woken=work.set
    )
    endpoints = webhooks.servicer(_make_id, settings.fingerprint_key)
    return Wiring(
        register=(
            partial(_PAYMENTS, public),
            partial(_OPERATIONS, operations),
            partial(_PSP_EVENTS, psp_events),
            partial(_WEBHOOKS, endpoints),
        ),
        names=_NAMES,
        jobs=(
            jobs.saga_worker(sagas, coordinator, work, settings.poll_s),
            jobs.event_relay(Relay(database, redis, _STREAM), events),
            jobs.webhook_courier(
                webhooks.queue, webhooks.courier, webhooks.wake, settings.webhooks.poll_s
            ),
            jobs.queue_gauges(sagas, webhooks.queue),
            jobs.backlog_watch(sagas, admission, settings.backlog.depth_max),
        ),
    )


def _tell(waiters: Waiters, told: Sequence[asyncio.Event], work: asyncio.Event, move: Move) -> None:
    """Wake whom a move concerns: who waits for the payment, who tells of it, who goes on."""
    if move.before.payment.version != move.after.payment.version:
        waiters.moved(move.after.payment)
        for event in told:
            event.set()
    if move.follow_up is not None:
        work.set()


def _make_id(prefix: str) -> str:
    return new_id(prefix, utc_now())


async def connect(
    settings: PaymentSettings, stack: AsyncExitStack
) -> tuple[GrpcServices, Sellers, Witnesses, Returns]:
    """Open channels to the other services: as the sagas use them, as who knows the sellers, as who
    is asked what they know of a payment, and as who is told of buyers that come back.
    """
    risk = open_channel(
        settings.risk_target, risk_service_pb2.DESCRIPTOR.services_by_name["RiskService"]
    )
    psp = open_channel(
        settings.psp_target,
        psp_gateway_service_pb2.DESCRIPTOR.services_by_name["PspGatewayService"],
        webhook_service_pb2.DESCRIPTOR.services_by_name["WebhookService"],
    )
    wallet = open_channel(
        settings.wallet_target, wallet_service_pb2.DESCRIPTOR.services_by_name["WalletService"]
    )
    ledger = open_channel(
        settings.ledger_target, ledger_service_pb2.DESCRIPTOR.services_by_name["LedgerService"]
    )
    for channel in (risk, psp, wallet, ledger):
        stack.push_async_callback(channel.close)
    risks = risk_service_pb2_grpc.RiskServiceStub(risk)
    psps = psp_gateway_service_pb2_grpc.PspGatewayServiceStub(psp)
    wallets = wallet_service_pb2_grpc.WalletServiceStub(wallet)
    books = ledger_service_pb2_grpc.LedgerServiceStub(ledger)
    services = GrpcServices(
        risk_stub=risks,
        psp_stub=psps,
        wallet_stub=wallets,
        ledger_stub=books,
        fingerprint_key=settings.fingerprint_key,
        timeout_s=settings.rpc_timeout_s,
        auto_open_sellers=settings.auto_open_sellers,
    )
    sellers: Sellers = GrpcSellers(wallets, settings.rpc_timeout_s)
    if settings.auto_open_sellers:
        sellers = AnySeller()
    witnesses = GrpcWitnesses(
        risk_stub=risks,
        psp_stub=psps,
        wallet_stub=wallets,
        ledger_stub=books,
        inbox_stub=webhook_service_pb2_grpc.WebhookServiceStub(psp),
    )
    return services, sellers, witnesses, GrpcReturns(psps, settings.rpc_timeout_s)


if __name__ == "__main__":
    main("payment_svc", "payment.paymesh", build)
