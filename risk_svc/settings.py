"""Every knob of risk_svc, with its unit and default; the README lists them."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from chassis.money import UnknownCurrency, currency_decimals
from chassis.settings import Environment, ServerSettings, SettingsError
from privacy.masked import Secret
from risk_svc.domain.assessment import Subject
from risk_svc.use_cases.assess_payments import Limits

_PER_HOUR = {Subject.BUYER: 10, Subject.CARD: 5, Subject.IP: 20}
_PER_HOUR_MAX = 10_000
_AMOUNT_MAX = Decimal(100_000)
_KEPT_MIN = 1_000


@dataclass(frozen=True, slots=True)
class RiskSettings:
    """What risk_svc is told."""

    database_url: Secret[str]  # of the app role
    database_connections: int  # at most
    redis_url: Secret[str]
    redis_timeout_s: float  # for connecting and for an answer each
    subject_key: Secret[bytes]  # hashes buyers, cards and addresses before they reach Redis; secret
    limits: Limits

    @property
    def attempts_kept_max(self) -> int:
        """How many attempts of one subject are kept; above every limit."""
        return max(_KEPT_MIN, *(limit + 1 for limit in self.limits.velocity.values()))

    @classmethod
    def read(cls, environment: Environment, server: ServerSettings) -> "RiskSettings":
        """Read RISK_DATABASE_URL, REDIS_URL and the others.

        Raises:
            SettingsError: a setting is missing or malformed.
        """
        return cls(
            database_url=Secret(environment.text("RISK_DATABASE_URL")),
            database_connections=environment.integer("RISK_DATABASE_CONNECTIONS", 8),
            redis_url=Secret(environment.text("REDIS_URL")),
            redis_timeout_s=environment.number("RISK_REDIS_TIMEOUT_S", 1.0),
            subject_key=Secret(
                environment.secret("RISK_SUBJECT_KEY", in_production=server.is_production)
            ),
            limits=_limits(environment),
        )


def _limits(environment: Environment) -> Limits:
    amount, by_currency = _amounts(environment.text("RISK_AMOUNT_MAX", ""))
    velocity = {subject: _per_hour(environment, subject) for subject in _PER_HOUR}
    return Limits(velocity=velocity, amount=amount, amount_by_currency=by_currency)


def _per_hour(environment: Environment, subject: Subject) -> int:
    name = f"RISK_VELOCITY_{subject.name}_PER_HOUR"
    limit = environment.integer(name, _PER_HOUR[subject])
    if not 0 <= limit <= _PER_HOUR_MAX:
        raise SettingsError(f"{name}={limit} is not between 0 and {_PER_HOUR_MAX}")
    return limit


def _amounts(text: str) -> tuple[Decimal, Mapping[str, Decimal]]:
    """Read `100000,JPY=10000000`: the bare number goes for every currency not named."""
    general, by_currency = _AMOUNT_MAX, {}
    for part in filter(None, map(str.strip, text.split(","))):
        currency, named, amount = part.rpartition("=")
        if named:
            by_currency[_currency(currency.strip())] = _amount(amount.strip())
        else:
            general = _amount(amount)
    return general, by_currency


def _currency(code: str) -> str:
    try:
        currency_decimals(code)
    except UnknownCurrency as error:
        raise SettingsError(f"RISK_AMOUNT_MAX: {error}") from error
    return code


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise SettingsError(f"RISK_AMOUNT_MAX: {text!r} is no amount") from error
    if not amount.is_finite() or amount < 0:
        raise SettingsError(f"RISK_AMOUNT_MAX: {text!r} is no amount of zero or more")
    return amount
