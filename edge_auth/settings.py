"""Every knob of edge_auth, with its unit and default; the README lists them."""

from dataclasses import dataclass

from chassis.settings import Environment


@dataclass(frozen=True, slots=True)
class EdgeAuthSettings:
    """What edge_auth is told."""

    database_url: str
    database_connections: int
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
            cache_s=environment.number("EDGE_AUTH_CACHE_S", 5.0),
        )
