"""Every knob of edge_auth, with its unit and default; the README lists them."""

from dataclasses import dataclass

from chassis.settings import Environment


@dataclass(frozen=True, slots=True)
class EdgeAuthSettings:
    """What edge_auth is told."""

    database_url: str
    database_connections: int
    redis_url: str  # where payment_svc says that too much waits; empty: nobody says
    queue_full_passes_per_second: float  # new payments of a client that pass all the same
    client_per_second: float  # requests of one client in the long run; 0: no limit
    client_burst: int  # and at once, after a rest
    stranger_per_second: float  # requests with wrong credentials from one address; 0: no limit
    cache_s: float  # how long a verified key is believed; a revoked one works that much longer

    @classmethod
    def read(cls, environment: Environment) -> "EdgeAuthSettings":
        """Read the environment.

        Raises:
            SettingsError: a setting is missing or malformed.
        """
        return cls(
            database_url=environment.text("EDGE_AUTH_DATABASE_URL"),
            database_connections=environment.integer("EDGE_AUTH_DATABASE_CONNECTIONS", 4),
            redis_url=environment.text("REDIS_URL", ""),
            queue_full_passes_per_second=environment.number("QUEUE_FULL_PASSES_PER_SECOND", 1.0),
            client_per_second=environment.number("CLIENT_REQUESTS_PER_SECOND", 500.0),
            client_burst=environment.integer("CLIENT_BURST", 1000),
            stranger_per_second=environment.number("STRANGER_REQUESTS_PER_SECOND", 10.0),
            cache_s=environment.number("EDGE_AUTH_CACHE_S", 5.0),
        )
