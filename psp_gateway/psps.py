"""The PSPs that are configured: what each charges by, its pages, and who reads its webhooks."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from chassis.settings import SettingsError
from psp_gateway.calls import MeasuredPages
from psp_gateway.dispute_calls import MeasuredAnswers, MeasuredReads
from psp_gateway.dispute_ports import AnswerDisputes, ReadDisputes, TellDisputes
from psp_gateway.payout_calls import MeasuredPayouts
from psp_gateway.payout_ports import PayOut
from psp_gateway.ports import HostedPage, Provider, Webhooks
from psp_gateway.providers.adyen import units as adyen_units
from psp_gateway.providers.adyen.client import AdyenClient
from psp_gateway.providers.adyen.disputes import PATH as ADYEN_DISPUTES
from psp_gateway.providers.adyen.disputes import AdyenDisputes
from psp_gateway.providers.adyen.pages import AdyenPages
from psp_gateway.providers.adyen.payouts import PATH as ADYEN_TRANSFERS
from psp_gateway.providers.adyen.payouts import AdyenPayouts
from psp_gateway.providers.adyen.provider import AdyenProvider
from psp_gateway.providers.adyen.webhooks import AdyenWebhooks
from psp_gateway.providers.paypal.certificates import Certificates
from psp_gateway.providers.paypal.client import PayPalClient
from psp_gateway.providers.paypal.disputes import PayPalDisputes
from psp_gateway.providers.paypal.pages import PayPalPages
from psp_gateway.providers.paypal.payouts import PayPalPayouts
from psp_gateway.providers.paypal.provider import PayPalProvider
from psp_gateway.providers.paypal.roots import ROOTS
from psp_gateway.providers.paypal.signature import ORIGINS
from psp_gateway.providers.paypal.webhooks import PayPalWebhooks
from psp_gateway.providers.stripe.client import StripeClient
from psp_gateway.providers.stripe.disputes import StripeDisputes
from psp_gateway.providers.stripe.pages import StripePages
from psp_gateway.providers.stripe.payouts import StripePayouts
from psp_gateway.providers.stripe.provider import StripeProvider
from psp_gateway.providers.stripe.webhooks import StripeWebhooks
from psp_gateway.settings import PspSettings
from psp_gateway.use_cases.apply_events import MinorUnits

_SANDBOX_ORIGIN = "https://api.sandbox.paypal.com"
# Who is taken at their word tells amounts in units of their own.
MINOR_UNITS: Mapping[str, MinorUnits] = {"adyen": adyen_units.to_minor}


@dataclass(slots=True)
class Psps:
    """The PSPs, by name.

    Attributes:
        pages: of those that have one.
        readers: of the webhooks of those that may send some.
        dispute_readers, dispute_tellers: of disputes, by asking the PSP or by its words alone.
        dispute_answerers: of those whose disputes can be answered.
        payers: of those that pay out.
        certificates: what PayPal signs by.
    """

    providers: dict[str, Provider] = field(default_factory=dict)
    pages: dict[str, HostedPage] = field(default_factory=dict)
    readers: dict[str, Webhooks] = field(default_factory=dict)
    dispute_readers: dict[str, ReadDisputes] = field(default_factory=dict)
    dispute_tellers: dict[str, TellDisputes] = field(default_factory=dict)
    dispute_answerers: dict[str, AnswerDisputes] = field(default_factory=dict)
    payers: dict[str, PayOut] = field(default_factory=dict)
    certificates: Certificates = field(default_factory=Certificates)


async def open_psps(settings: PspSettings, stack: AsyncExitStack) -> Psps:
    """Open the PSPs that are configured.

    Raises:
        SettingsError: settings that go together are not all there.
    """
    psps = Psps()
    await _stripe(psps, settings, stack)
    if settings.adyen_api_key:
        await _adyen(psps, settings, stack)
    if settings.paypal_client_id:
        await _paypal(psps, settings, stack)
    return psps


async def _stripe(psps: Psps, settings: PspSettings, stack: AsyncExitStack) -> None:
    client, files = [
        StripeClient(
            base,
            settings.stripe_api_key.reveal(),
            connect_timeout_s=settings.stripe_connect_timeout_s,
            timeout_s=settings.stripe_timeout_s,
        )
        for base in (settings.stripe_api_base, settings.stripe_files_base)
    ]
    for each in (client, files):
        stack.push_async_callback(each.close)
        await each.open()
    disputes = StripeDisputes(client, files)
    psps.dispute_readers["stripe"] = MeasuredReads("stripe", disputes)
    psps.dispute_answerers["stripe"] = MeasuredAnswers("stripe", disputes)
    psps.providers["stripe"] = StripeProvider(client, return_url=settings.stripe_return_url)
    psps.pages["stripe"] = MeasuredPages("stripe", StripePages(client))
    psps.payers["stripe"] = MeasuredPayouts("stripe", StripePayouts(client))
    if settings.stripe_webhook_secrets:
        psps.readers["stripe"] = StripeWebhooks(
            tuple(s.reveal() for s in settings.stripe_webhook_secrets)
        )


async def _adyen(psps: Psps, settings: PspSettings, stack: AsyncExitStack) -> None:
    if not settings.adyen_merchant_account:
        raise SettingsError("ADYEN_MERCHANT_ACCOUNT goes with ADYEN_API_KEY")
    client = AdyenClient(
        settings.adyen_api_base,
        settings.adyen_api_key.reveal(),
        timeout_s=settings.adyen_timeout_s,
    )
    stack.push_async_callback(client.close)
    await client.open()
    psps.providers["adyen"] = AdyenProvider(
        client,
        merchant_account=settings.adyen_merchant_account,
        return_url=settings.adyen_return_url,
    )
    pages = AdyenPages(client, merchant_account=settings.adyen_merchant_account)
    psps.pages["adyen"] = MeasuredPages("adyen", pages)
    await _adyen_disputes(psps, settings, stack)
    if settings.adyen_balance_account:
        await _adyen_payouts(psps, settings, stack)
    if settings.adyen_hmac_keys:
        psps.readers["adyen"] = AdyenWebhooks(tuple(k.reveal() for k in settings.adyen_hmac_keys))


async def _adyen_disputes(psps: Psps, settings: PspSettings, stack: AsyncExitStack) -> None:
    client = AdyenClient(
        settings.adyen_dispute_base,
        settings.adyen_api_key.reveal(),
        timeout_s=settings.adyen_timeout_s,
        path=ADYEN_DISPUTES,
    )
    stack.push_async_callback(client.close)
    await client.open()
    disputes = AdyenDisputes(client, merchant_account=settings.adyen_merchant_account)
    psps.dispute_tellers["adyen"] = disputes
    psps.dispute_answerers["adyen"] = MeasuredAnswers("adyen", disputes)


async def _adyen_payouts(psps: Psps, settings: PspSettings, stack: AsyncExitStack) -> None:
    client = AdyenClient(
        settings.adyen_transfer_base,
        (settings.adyen_transfer_api_key or settings.adyen_api_key).reveal(),
        timeout_s=settings.adyen_timeout_s,
        path=ADYEN_TRANSFERS,
    )
    stack.push_async_callback(client.close)
    await client.open()
    payouts = AdyenPayouts(client, balance_account=settings.adyen_balance_account)
    psps.payers["adyen"] = MeasuredPayouts("adyen", payouts)


async def _paypal(psps: Psps, settings: PspSettings, stack: AsyncExitStack) -> None:
    if not settings.paypal_client_secret:
        raise SettingsError("PAYPAL_CLIENT_SECRET goes with PAYPAL_CLIENT_ID")
    client = PayPalClient(
        settings.paypal_api_base,
        settings.paypal_client_id,
        settings.paypal_client_secret.reveal(),
        timeout_s=settings.paypal_timeout_s,
    )
    stack.push_async_callback(client.close)
    await client.open()
    psps.providers["paypal"] = PayPalProvider(client, return_url=settings.paypal_return_url)
    psps.pages["paypal"] = MeasuredPages("paypal", PayPalPages(client))
    psps.payers["paypal"] = MeasuredPayouts("paypal", PayPalPayouts(client))
    disputes = PayPalDisputes(client)
    psps.dispute_readers["paypal"] = MeasuredReads("paypal", disputes)
    psps.dispute_answerers["paypal"] = MeasuredAnswers("paypal", disputes)
    if settings.paypal_webhook_id:
        psps.readers["paypal"] = _paypal_reader(settings, psps.certificates)


def _paypal_reader(settings: PspSettings, certificates: Certificates) -> PayPalWebhooks:
    """Trust PayPal's own certificates; or those of a stand-in, from where it stands."""
    origins, roots = ORIGINS, ROOTS
    if settings.paypal_webhook_roots:
        parts = urlsplit(settings.paypal_api_base)
        origins = {f"{parts.scheme}://{parts.netloc}": ORIGINS[_SANDBOX_ORIGIN]}
        roots = settings.paypal_webhook_roots
    try:
        return PayPalWebhooks(
            settings.paypal_webhook_id, certificates.get, origins=origins, roots=roots
        )
    except ValueError as error:
        raise SettingsError(f"PAYPAL_WEBHOOK_ID, PAYPAL_WEBHOOK_ROOTS: {error}") from error
