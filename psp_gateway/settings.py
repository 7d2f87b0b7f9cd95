"""Every knob of the gateway, its unit and default."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from chassis.encryption import LocalKeys
from chassis.settings import Environment, ServerSettings, SettingsError
from privacy.masked import Personal, Secret
from psp_gateway import routing_file
from psp_gateway.providers.adyen import client as adyen
from psp_gateway.providers.adyen import payouts as adyen_payouts
from psp_gateway.providers.paypal import client as paypal
from psp_gateway.providers.stripe import client as stripe


@dataclass(frozen=True, slots=True)
class BankSettings:
    """How the gateway pays out through a bank."""

    debtor_name: str  # whose account pays
    debtor_iban: Personal[str]  # empty: no bank pays out
    debtor_bic: str
    outbox: Path  # where files for the bank are put; of this instance alone
    poll_s: float  # how often orders are collected into a file

    @classmethod
    def read(cls, environment: Environment, server: ServerSettings) -> "BankSettings":
        """Read BANK_DEBTOR_IBAN and the others.

        Raises:
            SettingsError: one is malformed, or in production the folder is wherever the process is.
        """
        iban = environment.text("BANK_DEBTOR_IBAN", "")
        outbox = Path(environment.text("BANK_OUTBOX", "bank-outbox"))
        if iban and server.is_production and not outbox.is_absolute():
            raise SettingsError("BANK_OUTBOX must be named in production, from the root on")
        return cls(
            debtor_name=environment.text("BANK_DEBTOR_NAME", ""),
            debtor_iban=Personal(iban),
            debtor_bic=environment.text("BANK_DEBTOR_BIC", ""),
            outbox=outbox,
            poll_s=environment.number("BANK_POLL_S", 600.0),
        )


@dataclass(frozen=True, slots=True)
class PspSettings:
    """What the gateway needs to know beside what every service does."""

    database_url: Secret[str]  # of the app role
    database_connections: int  # at most
    database_timeout_s: float  # for one transaction, waiting for a connection included
    batches_in_flight: int  # transactions at once, per kind of write
    keys: LocalKeys  # wrap the data keys that encrypt what is personal or secret
    fingerprint_key: Secret[bytes]  # hashes payment tokens, which are never stored; secret
    answer_s: float  # how long a call waits before it answers PENDING
    attempts_max: int  # under way at once; more are left for the next call
    stripe_api_key: Secret[str]
    stripe_api_base: str  # scheme, host, port and path before /v1
    stripe_files_base: str  # the same before /v1/files
    stripe_connect_timeout_s: float
    stripe_timeout_s: float  # for one request in all
    stripe_return_url: str  # where buyers come back to after 3-D Secure; empty for none
    adyen_api_key: Secret[str]  # empty: Adyen is not configured
    adyen_api_base: str  # scheme, host, port and path before /v71
    adyen_dispute_base: str  # the same before /ca/services/DisputeService
    adyen_merchant_account: str
    adyen_hmac_keys: tuple[Secret[str], ...]  # in hexadecimal; several while one is rotated
    adyen_transfer_base: str  # scheme, host, port and path before /v4
    adyen_transfer_api_key: Secret[str]  # of the balance platform
    adyen_balance_account: str  # what is paid out from; empty: Adyen pays nothing out
    adyen_timeout_s: float  # for one request in all
    adyen_return_url: str  # where buyers come back to after 3-D Secure; empty for none
    paypal_client_id: str  # empty: PayPal is not configured
    paypal_client_secret: Secret[str]
    paypal_api_base: str  # scheme, host, port and path before /v1 and /v2
    paypal_webhook_id: str  # our endpoint, as PayPal knows it; empty: no webhooks are taken
    paypal_webhook_roots: bytes  # in PEM; empty: those of DigiCert that PayPal's chain to
    paypal_timeout_s: float  # for one request in all
    paypal_return_url: str  # where buyers come back to after they approve; empty for none
    stripe_webhook_secrets: tuple[
        Secret[str], ...
    ]  # the present one and, while it is rotated, the next
    bank: BankSettings
    payment_target: str  # host:port of payment_svc, which hears of news; empty for nobody
    inbox_poll_s: float  # how often the inbox is looked at when nothing arrives
    inbox_lease_s: float  # how long an event that is being applied is nobody else's
    late_looks: tuple[timedelta, ...]  # when, after it was given up, an attempt is looked at again
    late_poll_s: float  # how often that is seen to
    abandon_after_s: float  # how long a buyer may take to authenticate
    routing_file: Path  # the rules; see routing.toml
    in_flight_max: int  # requests to one PSP at once
    wait_s: float  # how long a request waits for its turn at a PSP
    per_s: float  # requests a second to one PSP; 0 for no limit
    retry_share: float  # of what is asked first at a PSP, so much may be asked again
    retries_per_s: float  # and so much more a second

    @classmethod
    def read(cls, environment: Environment, server: ServerSettings) -> "PspSettings":
        """Read PSP_DATABASE_URL, STRIPE_API_KEY and the others. Raises SettingsError when one is
        missing, malformed, or too weak for production.
        """
        key = environment.secret("PSP_FINGERPRINT_KEY", in_production=server.is_production)
        api_base = _base(environment, server, "STRIPE_API_BASE", stripe.API_BASE)
        adyen_base = _base(environment, server, "ADYEN_API_BASE", adyen.API_BASE)
        # Whoever stands in for a PSP's API stands in for its other hosts too.
        files_base = stripe.FILES_BASE if api_base == stripe.API_BASE else api_base
        is_adyens = adyen_base == adyen.API_BASE
        transfer_base = adyen_payouts.API_BASE if is_adyens else adyen_base
        dispute_base = adyen.DISPUTE_BASE if is_adyens else adyen_base
        return cls(
            database_url=Secret(environment.text("PSP_DATABASE_URL")),
            database_connections=environment.integer("PSP_DATABASE_CONNECTIONS", 8),
            database_timeout_s=environment.number("PSP_DATABASE_TIMEOUT_S", 10.0),
            batches_in_flight=environment.integer("PSP_BATCHES_IN_FLIGHT", 1),
            keys=LocalKeys.configured(environment, is_production=server.is_production),
            fingerprint_key=Secret(key),
            answer_s=environment.number("PSP_ANSWER_S", 5.0),
            attempts_max=environment.integer("PSP_ATTEMPTS_MAX", 4096),
            stripe_api_key=Secret(environment.text("STRIPE_API_KEY")),
            stripe_api_base=api_base,
            stripe_files_base=_base(environment, server, "STRIPE_FILES_BASE", files_base),
            stripe_connect_timeout_s=environment.number("STRIPE_CONNECT_TIMEOUT_S", 2.0),
            stripe_timeout_s=environment.number("STRIPE_TIMEOUT_S", 15.0),
            stripe_return_url=environment.text("STRIPE_RETURN_URL", ""),
            adyen_api_key=Secret(environment.text("ADYEN_API_KEY", "")),
            adyen_api_base=adyen_base,
            adyen_dispute_base=_base(environment, server, "ADYEN_DISPUTE_BASE", dispute_base),
            adyen_merchant_account=environment.text("ADYEN_MERCHANT_ACCOUNT", ""),
            adyen_hmac_keys=_hex_keys(environment.text("ADYEN_HMAC_KEY", "")),
            adyen_transfer_base=_base(environment, server, "ADYEN_TRANSFER_BASE", transfer_base),
            adyen_transfer_api_key=Secret(environment.text("ADYEN_TRANSFER_API_KEY", "")),
            adyen_balance_account=environment.text("ADYEN_BALANCE_ACCOUNT", ""),
            adyen_timeout_s=environment.number("ADYEN_TIMEOUT_S", 15.0),
            adyen_return_url=environment.text("ADYEN_RETURN_URL", ""),
            paypal_client_id=environment.text("PAYPAL_CLIENT_ID", ""),
            paypal_client_secret=Secret(environment.text("PAYPAL_CLIENT_SECRET", "")),
            paypal_api_base=_base(environment, server, "PAYPAL_API_BASE", paypal.API_BASE),
            paypal_webhook_id=environment.text("PAYPAL_WEBHOOK_ID", ""),
            paypal_webhook_roots=_roots(environment, server),
            paypal_timeout_s=environment.number("PAYPAL_TIMEOUT_S", 15.0),
            paypal_return_url=environment.text("PAYPAL_RETURN_URL", ""),
            stripe_webhook_secrets=_secrets(environment.text("STRIPE_WEBHOOK_SECRET", "")),
            bank=BankSettings.read(environment, server),
            payment_target=environment.text("PAYMENT_TARGET", ""),
            inbox_poll_s=environment.number("PSP_INBOX_POLL_S", 1.0),
            inbox_lease_s=environment.number("PSP_INBOX_LEASE_S", 30.0),
            late_looks=_spans(environment, "PSP_LATE_LOOKS_S", "3600,21600,86400,259200"),
            late_poll_s=environment.number("PSP_LATE_POLL_S", 30.0),
            abandon_after_s=environment.number("PSP_ABANDON_AFTER_S", 1800.0),
            routing_file=Path(environment.text("PSP_ROUTING_FILE", str(routing_file.DEFAULT))),
            in_flight_max=environment.integer("PSP_IN_FLIGHT_MAX", 256),
            wait_s=environment.number("PSP_WAIT_S", 1.0),
            per_s=environment.number("PSP_PER_S", 0.0),
            retry_share=environment.number("PSP_RETRY_SHARE", 0.1),
            retries_per_s=environment.number("PSP_RETRIES_PER_S", 0.5),
        )


def _base(environment: Environment, server: ServerSettings, name: str, default: str) -> str:
    base = environment.text(name, default)
    if server.is_production and not base.startswith("https://"):
        raise SettingsError(f"{name} must be https in production")
    return base


def _roots(environment: Environment, server: ServerSettings) -> bytes:
    """Read whom a stand-in for PayPal signs by; in production PayPal's own are pinned."""
    path = environment.text("PAYPAL_WEBHOOK_ROOTS", "")
    if not path:
        return b""
    if server.is_production:
        raise SettingsError("PAYPAL_WEBHOOK_ROOTS is for development: PayPal's own are pinned")
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise SettingsError(f"PAYPAL_WEBHOOK_ROOTS: {error}") from error


def _hex_keys(text: str) -> tuple[Secret[str], ...]:
    keys = _secrets(text)
    for key in keys:
        try:
            bytes.fromhex(key.reveal())
        except ValueError:
            raise SettingsError("ADYEN_HMAC_KEY must be hexadecimal") from None
    return keys


def _spans(environment: Environment, name: str, default: str) -> tuple[timedelta, ...]:
    """Read spans of time in seconds, ascending, separated by commas; none of them is none."""
    text = environment.text(name, default)
    try:
        spans = tuple(timedelta(seconds=float(part)) for part in _several(text))
    except (ValueError, OverflowError):
        raise SettingsError(f"{name} must be seconds, separated by commas") from None
    if list(spans) != sorted(set(spans)) or any(span <= timedelta(0) for span in spans):
        raise SettingsError(f"{name} must ascend, and be above 0")
    return spans


def _secrets(text: str) -> tuple[Secret[str], ...]:
    """Read secrets separated by commas."""
    return tuple(map(Secret, _several(text)))


def _several(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in text.split(","))))
