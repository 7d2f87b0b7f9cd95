"""Serves the PSP gateway: `python -m psp_gateway`."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial

from paymesh.payment.v1 import psp_event_service_pb2
from paymesh.psp.v1 import dispute_service_pb2_grpc as dispute_wire
from paymesh.psp.v1 import psp_gateway_service_pb2_grpc as wire
from paymesh.psp.v1 import webhook_service_pb2_grpc as webhook_wire

from chassis import server
from chassis.channel import open_channel
from chassis.clock import utc_now
from chassis.database import Database
from chassis.faults import FaultPoints
from chassis.server import Wiring
from chassis.settings import Environment, ServerSettings, SettingsError
from psp_gateway import jobs
from psp_gateway.clients import Nobody, PaymentListener
from psp_gateway.dispute_ports import AnswerDisputes, DisputeBook, ReadDisputes, TellDisputes
from psp_gateway.dispute_servicer import DisputeServicer
from psp_gateway.dispute_store import DisputeStore
from psp_gateway.domain.routing import Rule
from psp_gateway.guard import Bounds, Guard
from psp_gateway.inbox_store import InboxStore
from psp_gateway.ports import Listener, Provider, Webhooks
from psp_gateway.providers.adyen import units as adyen_units
from psp_gateway.providers.adyen.client import AdyenClient
from psp_gateway.providers.adyen.disputes import PATH as ADYEN_DISPUTE_PATH
from psp_gateway.providers.adyen.disputes import AdyenDisputes
from psp_gateway.providers.adyen.provider import AdyenProvider
from psp_gateway.providers.adyen.webhooks import AdyenWebhooks
from psp_gateway.providers.stripe.client import StripeClient
from psp_gateway.providers.stripe.disputes import StripeDisputes
from psp_gateway.providers.stripe.provider import StripeProvider
from psp_gateway.providers.stripe.webhooks import StripeWebhooks
from psp_gateway.routing_file import InvalidRouting, read_rules
from psp_gateway.running import Running
from psp_gateway.servicer import PspGatewayServicer
from psp_gateway.settings import PspSettings
from psp_gateway.store import AttemptStore
from psp_gateway.use_cases.answer_dispute import Answering
from psp_gateway.use_cases.apply_events import Applying, MinorUnits
from psp_gateway.use_cases.follow_disputes import Following
from psp_gateway.use_cases.route_charge import PSPS, Router
from psp_gateway.use_cases.take_further import Means
from psp_gateway.webhook_servicer import PspWebhookService


async def build(
    server_settings: ServerSettings, environment: Environment, stack: AsyncExitStack
) -> Wiring:
    """Wire the service to its database and to the PSPs.

    Raises:
        SettingsError: a setting is missing or malformed.
        Unavailable: the database cannot be reached.
    """
    settings = PspSettings.read(environment, server_settings)
    database = Database(
        settings.database_url,
        connections=settings.database_connections,
        timeout_s=settings.database_timeout_s,
    )
    stack.push_async_callback(database.close)
    await database.open()
    providers = await providers_of(settings, stack)
    bounds = Bounds(settings.in_flight_max, settings.wait_s, settings.per_s)
    guards = {psp: Guard(psp, utc_now, bounds) for psp in providers}
    store = AttemptStore(
        database,
        lambda psp, amount: psp not in providers or providers[psp].can_express(amount),
        batches_in_flight=settings.batches_in_flight,
    )
    running = Running(answer_s=settings.answer_s, count_max=settings.attempts_max)
    stack.push_async_callback(running.close, server_settings.drain_s)
    abandon_after = timedelta(seconds=settings.abandon_after_s)
    means = Means(store, providers, guards, utc_now, _faults(server_settings), abandon_after)
    router = Router(_rules(settings), providers, guards)
    servicer = PspGatewayServicer(
        means, router, store, running, guards, fingerprint_key=settings.fingerprint_key
    )
    inbox, arrived = InboxStore(database, utc_now), asyncio.Event()
    webhooks = PspWebhookService(readers_of(settings), inbox, utc_now, arrived.set)
    answering = await answering_of(settings, DisputeStore(database), guards, stack)
    listener = await _listener(settings, stack)
    applying = Applying(means, inbox, listener, MINOR_UNITS, answering.following)
    return Wiring(
        register=[
            partial(wire.add_PspGatewayServiceServicer_to_server, servicer),
            partial(webhook_wire.add_WebhookServiceServicer_to_server, webhooks),
            partial(dispute_wire.add_DisputeServiceServicer_to_server, DisputeServicer(answering)),
        ],
        names=[
            "paymesh.psp.v1.PspGatewayService",
            "paymesh.psp.v1.WebhookService",
            "paymesh.psp.v1.DisputeService",
        ],
        jobs=[jobs.inbox_worker(inbox, applying, arrived, settings.inbox_poll_s)],
    )


async def answering_of(
    settings: PspSettings,
    book: DisputeBook,
    guards: Mapping[str, Guard],
    stack: AsyncExitStack,
) -> Answering:
    """Open what follows and answers disputes at the PSPs that are configured."""
    client = _stripe_client(settings, settings.stripe_api_base)
    files = _stripe_client(settings, settings.stripe_files_base)
    for each in (client, files):
        stack.push_async_callback(each.close)
        await each.open()
    stripe = StripeDisputes(client, files)
    readers: dict[str, ReadDisputes] = {"stripe": stripe}
    tellers: dict[str, TellDisputes] = {}
    answerers: dict[str, AnswerDisputes] = {"stripe": stripe}
    if settings.adyen_api_key:
        adyen = await _adyen_disputes(settings, stack)
        tellers["adyen"] = answerers["adyen"] = adyen
    return Answering(Following(book, readers, tellers, guards, utc_now), answerers)


async def _adyen_disputes(settings: PspSettings, stack: AsyncExitStack) -> AdyenDisputes:
    client = AdyenClient(
        settings.adyen_dispute_base,
        settings.adyen_api_key,
        timeout_s=settings.adyen_timeout_s,
        path=ADYEN_DISPUTE_PATH,
    )
    stack.push_async_callback(client.close)
    await client.open()
    return AdyenDisputes(client, merchant_account=settings.adyen_merchant_account)


def _stripe_client(settings: PspSettings, base: str) -> StripeClient:
    return StripeClient(
        base,
        settings.stripe_api_key,
        connect_timeout_s=settings.stripe_connect_timeout_s,
        timeout_s=settings.stripe_timeout_s,
    )


def readers_of(settings: PspSettings) -> Mapping[str, Webhooks]:
    """Make the readers of webhooks of the PSPs that are configured, by name."""
    readers: dict[str, Webhooks] = {}
    if settings.stripe_webhook_secrets:
        readers["stripe"] = StripeWebhooks(settings.stripe_webhook_secrets)
    if settings.adyen_hmac_keys:
        readers["adyen"] = AdyenWebhooks(settings.adyen_hmac_keys)
    return readers


# Who is taken at their word tells amounts in units of their own.
MINOR_UNITS: Mapping[str, MinorUnits] = {"adyen": adyen_units.to_minor}


async def _listener(settings: PspSettings, stack: AsyncExitStack) -> Listener:
    if not settings.payment_target:
        return Nobody()
    described = psp_event_service_pb2.DESCRIPTOR.services_by_name["PspEventService"]
    channel = open_channel(settings.payment_target, described)
    stack.push_async_callback(channel.close)
    return PaymentListener(channel)


async def providers_of(settings: PspSettings, stack: AsyncExitStack) -> Mapping[str, Provider]:
    """Open the PSPs that are configured, by name."""
    stripe = _stripe_client(settings, settings.stripe_api_base)
    stack.push_async_callback(stripe.close)
    await stripe.open()
    providers: dict[str, Provider] = {
        "stripe": StripeProvider(stripe, return_url=settings.stripe_return_url)
    }
    if settings.adyen_api_key:
        providers["adyen"] = await _adyen(settings, stack)
    return providers


async def _adyen(settings: PspSettings, stack: AsyncExitStack) -> Provider:
    if not settings.adyen_merchant_account:
        raise SettingsError("ADYEN_MERCHANT_ACCOUNT goes with ADYEN_API_KEY")
    client = AdyenClient(
        settings.adyen_api_base, settings.adyen_api_key, timeout_s=settings.adyen_timeout_s
    )
    stack.push_async_callback(client.close)
    await client.open()
    return AdyenProvider(
        client,
        merchant_account=settings.adyen_merchant_account,
        return_url=settings.adyen_return_url,
    )


def _rules(settings: PspSettings) -> Sequence[Rule]:
    try:
        return read_rules(settings.routing_file, PSPS)
    except InvalidRouting as error:
        raise SettingsError(f"PSP_ROUTING_FILE: {error}") from error


def _faults(server_settings: ServerSettings) -> FaultPoints:
    try:
        return FaultPoints.parse(server_settings.fault_points, server_settings.environment)
    except ValueError as error:
        raise SettingsError(str(error)) from error


if __name__ == "__main__":
    server.main("psp_gateway", "psp.paymesh", build)
