"""payment_svc: settings, wiring, serve."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial

from paymesh.payment.v1 import (
    operations_service_pb2_grpc,
    payment_service_pb2_grpc,
    psp_event_service_pb2_grpc,
    webhook_endpoint_service_pb2_grpc,
)
from redis.asyncio import Redis

from audit_log.wiring import with_audit_log
from chassis.clock import Clock, utc_now
from chassis.data_keys import learning
from chassis.database import Database
from chassis.encryption import Keyring
from chassis.faults import FaultPoints
from chassis.ids import new_id
from chassis.redis_client import open_redis
from chassis.server import Wiring, main
from chassis.settings import Environment, ServerSettings
from payment_svc import jobs
from payment_svc.admission import QueueAdmission
from payment_svc.audit_wiring import Auditing
from payment_svc.case_store import PostgresCaseStore
from payment_svc.coordinator import Coordinator
from payment_svc.database_clock import DatabaseClock
from payment_svc.domain.backlog import Admission
from payment_svc.neighbours import Neighbours, connect
from payment_svc.operations.resolution_store import PostgresResolutionStore
from payment_svc.operations.store import PostgresOperatorStore
from payment_svc.operations.wiring import Operations
from payment_svc.operations_servicer import PaymentOperationsService
from payment_svc.outbox import Relay
from payment_svc.psp_event_servicer import PaymentPspEventService
from payment_svc.psp_events import PspEvents
from payment_svc.queue_sign import QueueSign
from payment_svc.saga_store import PostgresSagaStore
from payment_svc.sagas.journey import Move
from payment_svc.servicer import PublicPaymentService
from payment_svc.settings import PaymentSettings
from payment_svc.store import PostgresPaymentStore
from payment_svc.unlogged import UNLOGGED
from payment_svc.waiting import Waiters
from payment_svc.webhooks.wiring import Webhooks

_NAMES = (
    "paymesh.payment.v1.PaymentService",
    "paymesh.payment.v1.OperationsService",
    "paymesh.payment.v1.AuditService",
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
    faults = FaultPoints.parse(server.fault_points, server.environment)
    database = await _open_database(settings, stack)
    redis = _open_redis(settings, stack)
    clock = await DatabaseClock.compared(database, utc_now)
    work, events, waiters = asyncio.Event(), asyncio.Event(), Waiters()
    payments = PostgresPaymentStore(database, clock, faults)
    sagas = _saga_store(database, server, settings, clock, faults)
    webhooks = await Webhooks.open(database, settings.webhooks, server.instance_id, faults, stack)
    admission = QueueAdmission(settings.backlog)
    neighbours = connect(settings, stack)
    auditing = Auditing.wire(database, neighbours, settings, clock)
    coordinator = Coordinator(
        sagas,
        neighbours.services,
        clock=clock,
        in_flight_max=settings.sagas_in_flight_max,
        policy=settings.policy,
        retries=settings.retries,
        faults=faults,
        moved=partial(_tell, waiters, (events, webhooks.wake), work),
    )
    public = _public(payments, sagas, neighbours, waiters, work, settings, clock, admission)
    witnesses, cases = neighbours.witnesses, PostgresCaseStore(database)
    psp_events = PspEvents(payments, sagas, sagas, witnesses, clock)
    operations = _operations(
        database, server, sagas, neighbours, psp_events, settings, clock, work, faults
    )
    operators = PaymentOperationsService(
        payments, sagas, witnesses, clock, settings.policy, operations, cases
    )
    endpoints = webhooks.servicer(_make_id, settings.fingerprint_key.reveal())
    wiring = Wiring(
        register=(
            partial(_PAYMENTS, public),
            partial(_OPERATIONS, operators),
            auditing.register,
            partial(_PSP_EVENTS, PaymentPspEventService(psp_events, woken=work.set)),
            partial(_WEBHOOKS, endpoints),
        ),
        names=_NAMES,
        jobs=(
            jobs.saga_worker(sagas, coordinator, work, settings.poll_s),
            jobs.event_relay(Relay(database, redis, _STREAM, faults), events),
            jobs.webhook_courier(
                webhooks.queue, webhooks.courier, webhooks.wake, settings.webhooks.poll_s
            ),
            jobs.queue_gauges(operations.store, webhooks.queue),
            jobs.resolution_applier(operations),
            jobs.backlog_watch(sagas, admission, settings.backlog, QueueSign(redis)),
            jobs.unknown_gauge(sagas),
            jobs.loop_watch(),
            clock.watch(),
            learning(database),
            *auditing.jobs,
        ),
    )
    return with_audit_log(wiring, database, UNLOGGED)


def _public(
    payments: PostgresPaymentStore,
    sagas: PostgresSagaStore,
    neighbours: Neighbours,
    waiters: Waiters,
    work: asyncio.Event,
    settings: PaymentSettings,
    clock: Clock,
    admission: Admission,
) -> PublicPaymentService:
    return PublicPaymentService(
        payments,
        waiters,
        sellers=neighbours.sellers,
        returns=neighbours.returns,
        sagas=sagas,
        return_urls=settings.return_urls,
        clock=clock,
        new_id=_make_id,
        fingerprint_key=settings.fingerprint_key.reveal(),
        begun=work.set,
        admission=admission,
    )


def _saga_store(
    database: Database,
    server: ServerSettings,
    settings: PaymentSettings,
    clock: Clock,
    faults: FaultPoints,
) -> PostgresSagaStore:
    return PostgresSagaStore(
        database,
        owner=server.instance_id,
        lease=settings.lease,
        new_id=_make_id,
        clock=clock,
        claims_max=settings.claims_max,
        faults=faults,
    )


def _operations(
    database: Database,
    server: ServerSettings,
    sagas: PostgresSagaStore,
    neighbours: Neighbours,
    psp_events: PspEvents,
    settings: PaymentSettings,
    clock: Clock,
    work: asyncio.Event,
    faults: FaultPoints,
) -> Operations:
    """Put together what operators' work takes."""
    return Operations(
        PostgresOperatorStore(database, faults),
        PostgresResolutionStore(database, sagas, faults),
        neighbours.attempts,
        psp_events,
        clock=clock,
        new_id=_make_id,
        policy=settings.policy,
        expires_after=settings.resolution_expires,
        certified_only=server.is_production,
        woken=work.set,
        faults=faults,
    )


async def _open_database(settings: PaymentSettings, stack: AsyncExitStack) -> Database:
    database = Database(
        settings.database_url.reveal(),
        connections=settings.database_connections,
        keyring=Keyring("payment_svc", settings.keys),
    )
    await database.open()
    stack.push_async_callback(database.close)
    return database


def _open_redis(settings: PaymentSettings, stack: AsyncExitStack) -> Redis:
    """Open it; a second try may publish an event twice, as events may be."""
    redis = open_redis(settings.redis_url, settings.redis_timeout_s)
    stack.push_async_callback(redis.aclose)
    return redis


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


if __name__ == "__main__":
    main("payment_svc", "payment.paymesh", build)
