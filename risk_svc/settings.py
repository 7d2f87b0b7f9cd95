"""Every knob of risk_svc, with its unit and default; the README lists them."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from chassis.settings import Environment, ServerSettings, SettingsError
from risk_svc.domain.assessment import Subject
from risk_svc.use_cases.assess_payments import Limits

_DEVELOPMENT_KEY = "development-only"
_PER_HOUR = {Subject.BUYER: 10, Subject.CARD: 5, Subject.IP: 20}


@dataclass(frozen=True, slots=True)
class RiskSettings:
    """What risk_svc is told."""

    database_url: str
    database_connections: int
    redis_url: str
    subject_key: bytes  # hashes buyers, cards and addresses before they reach Redis; secret
    limits: Limits

    @classmethod
    def read(cls, environment: Environment, server: ServerSettings) -> "RiskSettings":
        """Read the environment.

        Raises:
            SettingsError: a setting is missing or malformed.
        """
        key = environment.text("RISK_SUBJECT_KEY", _DEVELOPMENT_KEY)
        if server.is_production and key == _DEVELOPMENT_KEY:
            raise SettingsError("RISK_SUBJECT_KEY must be set in production")
        velocity = {
            subject: environment.integer(f"RISK_VELOCITY_{subject.name}_PER_HOUR", default)
            for subject, default in _PER_HOUR.items()
        }
        return cls(
            database_url=environment.text("RISK_DATABASE_URL"),
            database_connections=environment.integer("RISK_DATABASE_CONNECTIONS", 8),
            redis_url=environment.text("REDIS_URL"),
            subject_key=key.encode(),
            limits=Limits(
                velocity=velocity,
                amount=_amount(environment.text("RISK_AMOUNT_MAX", "100000")),
                amount_by_currency=_by_currency(
                    environment.text("RISK_AMOUNT_MAX_BY_CURRENCY", "")
                ),
            ),
        )


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise SettingsError(f"{text!r} is no amount") from error
    if not amount.is_finite() or amount < 0:
        raise SettingsError(f"{text!r} is no amount of zero or more")
    return amount


def _by_currency(text: str) -> Mapping[str, Decimal]:
    """Read `USD=100000,JPY=10000000`."""
    pairs = (part.partition("=") for part in filter(None, text.split(",")))
    return {currency.strip(): _amount(amount) for currency, _, amount in pairs}
