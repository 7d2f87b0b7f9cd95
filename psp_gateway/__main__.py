"""Serves the PSP gateway: `python -m psp_gateway`."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial

from paymesh.payment.v1 import psp_event_service_pb2
from paymesh.psp.v1 import attempt_resolution_service_pb2_grpc as resolution_wire
from paymesh.psp.v1 import dispute_service_pb2_grpc as dispute_wire
from paymesh.psp.v1 import psp_gateway_service_pb2_grpc as wire
from paymesh.psp.v1 import webhook_service_pb2_grpc as webhook_wire

from audit_log.wiring import with_audit_log
from chassis import server
from chassis.channel import open_channel
from chassis.clock import utc_now
from chassis.data_keys import learning
from chassis.database import Database
from chassis.encryption import Keyring
from chassis.faults import FaultPoints
from chassis.server import Job, Wiring
from chassis.settings import Environment, ServerSettings, SettingsError
from psp_gateway import jobs
from psp_gateway.audited import tell_audit_log
from psp_gateway.bank_outbox import Outbox, bank_worker
from psp_gateway.bank_statements import Statements
from psp_gateway.bank_store import OrderStore
from psp_gateway.clients import Nobody, PaymentListener
from psp_gateway.dispute_servicer import DisputeServicer
from psp_gateway.dispute_store import DisputeStore
from psp_gateway.domain.attempt import Attempt
from psp_gateway.domain.capabilities import Captures
from psp_gateway.domain.payout import Payout
from psp_gateway.domain.retry_budget import Shares
from psp_gateway.domain.routing import Rule
from psp_gateway.guard import Bounds, Guard
from psp_gateway.inbox_store import InboxStore
from psp_gateway.late_look_store import LateLookStore
from psp_gateway.payout_calls import MeasuredPayouts
from psp_gateway.payout_servicer import PayoutCalls
from psp_gateway.payout_store import PayoutStore
from psp_gateway.ports import Listener, Provider
from psp_gateway.providers.bank.payouts import BankPayer
from psp_gateway.providers.bank.provider import BankPayouts
from psp_gateway.providers.bank.transfers import Debtor, Unfit
from psp_gateway.psps import MINOR_UNITS, Psps, open_psps
from psp_gateway.resolution_servicer import AttemptResolutionServicer
from psp_gateway.routing_file import InvalidRouting, read_rules
from psp_gateway.running import Running
from psp_gateway.servicer import PspGatewayServicer
from psp_gateway.settings import PspSettings
from psp_gateway.store import AttemptStore
from psp_gateway.unlogged import UNLOGGED
from psp_gateway.use_cases.answer_dispute import Answering
from psp_gateway.use_cases.apply_events import Applying
from psp_gateway.use_cases.execute_payouts import BANK, Paying
from psp_gateway.use_cases.follow_disputes import Following
from psp_gateway.use_cases.look_late import Looking
from psp_gateway.use_cases.receive_webhook import Receiving
from psp_gateway.use_cases.route_charge import PSPS, Router
from psp_gateway.use_cases.take_further import Means
from psp_gateway.webhook_servicer import PspWebhookService

_ADD_WEBHOOKS = webhook_wire.add_WebhookServiceServicer_to_server
_ADD_RESOLUTIONS = resolution_wire.add_AttemptResolutionServiceServicer_to_server
_NAMES = (
    "paymesh.psp.v1.PspGatewayService",
    "paymesh.psp.v1.WebhookService",
    "paymesh.psp.v1.DisputeService",
    "paymesh.psp.v1.AttemptResolutionService",
)


def _attempts(
    settings: PspSettings, database: Database, providers: Mapping[str, Provider]
) -> AttemptStore:
    return AttemptStore(
        database,
        lambda psp, amount: psp not in providers or providers[psp].can_express(amount),
        lambda psp: psp in providers and providers[psp].capabilities.captures is Captures.SEVERAL,
        batches_in_flight=settings.batches_in_flight,
    )


async def build(
    server_settings: ServerSettings, environment: Environment, stack: AsyncExitStack
) -> Wiring:
    """Wire the service to its database and to the PSPs.

    Raises:
        SettingsError: a setting is missing or malformed.
        Unavailable: the database cannot be reached.
    """
    settings = PspSettings.read(environment, server_settings)
    faults = FaultPoints.parse(server_settings.fault_points, server_settings.environment)
    database = await _open_database(settings, stack)
    psps = await open_psps(settings, stack)
    providers = psps.providers
    shares = Shares(settings.retry_share, settings.retries_per_s)
    bounds = Bounds(settings.in_flight_max, settings.wait_s, settings.per_s, shares)
    guards = {psp: Guard(psp, utc_now, bounds) for psp in providers}
    store = _attempts(settings, database, providers)
    running = Running[Attempt](answer_s=settings.answer_s, count_max=settings.attempts_max)
    stack.push_async_callback(running.close, server_settings.drain_s)
    payouts_running = Running[Payout](answer_s=settings.answer_s, count_max=settings.attempts_max)
    stack.push_async_callback(payouts_running.close, server_settings.drain_s)
    abandon_after = timedelta(seconds=settings.abandon_after_s)
    means = Means(store, providers, guards, utc_now, faults, abandon_after, psps.pages, running.saw)
    router = Router(_rules(settings), providers, guards, psps.pages)
    outbox = _outbox(settings, database)
    without = Paying(PayoutStore(database), {}, guards, utc_now, faults, payouts_running.saw)
    paying = _paying(psps, outbox, without)
    tell = partial(tell_audit_log, database)
    statements = Statements(outbox.bank, outbox.book, paying, tell) if outbox else None
    key = settings.fingerprint_key.reveal()
    payouts = PayoutCalls(paying, payouts_running, statements, fingerprint_key=key)
    servicer = PspGatewayServicer(
        means, router, store, running, guards, payouts, fingerprint_key=key, tell=tell
    )
    inbox = InboxStore(database, utc_now, timedelta(seconds=settings.inbox_lease_s))
    arrived = asyncio.Event()
    receiving = Receiving(psps.readers, inbox, psps.certificates)
    answering = _answering(psps, DisputeStore(database), guards)
    listener = await _listener(settings, stack)
    applying = Applying(
        means, inbox, listener, MINOR_UNITS, answering.following, jobs.blame, paying
    )
    wiring = Wiring(
        register=[
            partial(wire.add_PspGatewayServiceServicer_to_server, servicer),
            partial(_ADD_WEBHOOKS, PspWebhookService(receiving, utc_now, arrived.set)),
            partial(dispute_wire.add_DisputeServiceServicer_to_server, DisputeServicer(answering)),
            partial(_ADD_RESOLUTIONS, AttemptResolutionServicer(means, store)),
        ],
        names=_NAMES,
        jobs=[
            learning(database),
            jobs.inbox_worker(inbox, applying, arrived, settings.inbox_poll_s, faults),
            _late_looker(means, database, store, listener, settings),
            *([bank_worker(outbox, settings.bank.poll_s)] if outbox else []),
        ],
    )
    return with_audit_log(wiring, database, UNLOGGED)


def _late_looker(
    means: Means,
    database: Database,
    reader: AttemptStore,
    listener: Listener,
    settings: PspSettings,
) -> Job:
    """Make the job that looks at what was given up."""
    looks = LateLookStore(database)
    looking = Looking(means, looks, reader, listener, settings.late_looks, jobs.blame)
    return jobs.late_looker(looking, settings.late_poll_s)


async def _open_database(settings: PspSettings, stack: AsyncExitStack) -> Database:
    database = Database(
        settings.database_url.reveal(),
        connections=settings.database_connections,
        timeout_s=settings.database_timeout_s,
        keyring=Keyring("psp_gateway", settings.keys),
    )
    stack.push_async_callback(database.close)
    await database.open()
    return database


def _paying(psps: Psps, outbox: Outbox | None, without: Paying) -> Paying:
    """Give what paying out takes those who pay, the bank among them where there is one."""
    if outbox is None:
        return replace(without, payers=psps.payers)
    payer = MeasuredPayouts(BANK, BankPayer(outbox.book, outbox.bank.debtor, utc_now))
    guards = {**without.guards, BANK: Guard(BANK, utc_now)}
    return replace(without, payers={**psps.payers, BANK: payer}, guards=guards)


def _outbox(settings: PspSettings, database: Database) -> Outbox | None:
    """Put together what pays through a bank; None where none is configured."""
    if not settings.bank.debtor_iban:
        return None
    told = settings.bank
    debtor = Debtor(told.debtor_name, told.debtor_iban.reveal(), told.debtor_bic)
    try:
        bank = BankPayouts(debtor)
    except Unfit as error:
        raise SettingsError(f"BANK_DEBTOR_NAME, _IBAN, _BIC: {error}") from error
    return Outbox(bank, OrderStore(database), settings.bank.outbox, utc_now)


def _answering(psps: Psps, book: DisputeStore, guards: Mapping[str, Guard]) -> Answering:
    """Put together what follows and answers disputes."""
    following = Following(book, psps.dispute_readers, psps.dispute_tellers, guards, utc_now)
    return Answering(following, psps.dispute_answerers)


async def _listener(settings: PspSettings, stack: AsyncExitStack) -> Listener:
    if not settings.payment_target:
        return Nobody()
    described = psp_event_service_pb2.DESCRIPTOR.services_by_name["PspEventService"]
    channel = open_channel(settings.payment_target, described)
    stack.push_async_callback(channel.close)
    return PaymentListener(channel)


def _rules(settings: PspSettings) -> Sequence[Rule]:
    try:
        return read_rules(settings.routing_file, PSPS)
    except InvalidRouting as error:
        raise SettingsError(f"PSP_ROUTING_FILE: {error}") from error


if __name__ == "__main__":
    server.main("psp_gateway", "psp.paymesh", build)
