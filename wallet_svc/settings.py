"""Every knob of the wallets, its unit and default."""

from dataclasses import dataclass

from chassis.settings import Environment


@dataclass(frozen=True, slots=True)
class WalletSettings:
    """What the wallets need to know beside what every service does."""

    database_url: str  # of the app role
    database_connections: int  # at most
    database_timeout_s: float  # for one transaction, waiting for a connection included
    batches_in_flight: int  # transactions at once: of small requests, large ones, reversals each

    @classmethod
    def read(cls, environment: Environment) -> "WalletSettings":
        """Read WALLET_DATABASE_URL and the others.

        Raises:
            SettingsError: one is missing or malformed.
        """
        return cls(
            database_url=environment.text("WALLET_DATABASE_URL"),
            database_connections=environment.integer("WALLET_DATABASE_CONNECTIONS", 12),
            database_timeout_s=environment.number("WALLET_DATABASE_TIMEOUT_S", 10.0),
            batches_in_flight=environment.integer("WALLET_BATCHES_IN_FLIGHT", 2),
        )
