"""Every knob of edge_auth, with its unit and default; the README lists them."""

from dataclasses import dataclass

from chassis.encryption import LocalKeys
from chassis.settings import Environment, ServerSettings, SettingsError
from edge_auth.former_seals import SETTING, FormerSeals
from edge_auth.use_cases.check_request import Rates
from privacy.masked import Secret

_STRANGER_BURST = 100


@dataclass(frozen=True, slots=True)
class EdgeAuthSettings:
    """What edge_auth is told."""

    database_url: Secret[str]
    database_connections: int
    redis_url: Secret[str]
    queue_full_passes_per_second: float  # new payments of a client that pass all the same
    redis_timeout_s: float  # for one answer; longer, and Redis is away
    keys: LocalKeys  # wrap the data keys that encrypt signing secrets
    former: FormerSeals  # of signing secrets that were stored before
    rates: Rates
    is_unsigned_money_out: bool  # whether refunds and payouts pass unsigned; never in production
    cache_s: float  # how long a verified key is believed while Redis is away

    @classmethod
    def read(cls, environment: Environment, server: ServerSettings) -> "EdgeAuthSettings":
        """Read the environment.

        Raises:
            SettingsError: a setting is missing, malformed, or not for production.
        """
        return cls(
            database_url=Secret(environment.text("EDGE_AUTH_DATABASE_URL")),
            database_connections=environment.integer("EDGE_AUTH_DATABASE_CONNECTIONS", 4),
            redis_url=Secret(environment.text("REDIS_URL")),
            queue_full_passes_per_second=environment.number("QUEUE_FULL_PASSES_PER_SECOND", 1.0),
            redis_timeout_s=environment.number("EDGE_AUTH_REDIS_TIMEOUT_S", 0.25),
            keys=LocalKeys.configured(environment, is_production=server.is_production),
            former=FormerSeals.parse(environment.text(SETTING, "")),
            rates=_rates(environment),
            is_unsigned_money_out=_unsigned_money_out(environment, server),
            cache_s=environment.number("EDGE_AUTH_CACHE_S", 5.0),
        )


def _rates(environment: Environment) -> Rates:
    address_per_second = environment.number("ADDRESS_REQUESTS_PER_SECOND", 1000.0)
    return Rates(
        client_per_second=environment.number("CLIENT_REQUESTS_PER_SECOND", 500.0),
        client_burst=max(1, environment.integer("CLIENT_BURST", 1000)),
        address_per_second=address_per_second,
        address_burst=max(1, environment.integer("ADDRESS_BURST", 2000)),
        stranger_per_second=environment.number("STRANGER_REQUESTS_PER_SECOND", 10.0),
        stranger_burst=_STRANGER_BURST,
    )


def _unsigned_money_out(environment: Environment, server: ServerSettings) -> bool:
    is_on = environment.choice("UNSIGNED_MONEY_OUT", ("off", "on")) == "on"
    if is_on and server.is_production:
        raise SettingsError("UNSIGNED_MONEY_OUT=on is for development only")
    return is_on
