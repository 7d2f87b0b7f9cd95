"""Every knob of the wallets, its unit and default."""

from dataclasses import dataclass

from chassis.settings import Environment
from privacy.masked import Secret


@dataclass(frozen=True, slots=True)
class WalletSettings:
    """What the wallets need to know beside what every service does."""

    database_url: Secret[str]  # of the app role
    database_connections: int  # at most
    database_timeout_s: float  # for one transaction, waiting for a connection included
    report_timeout_s: float  # for what reads all operations of a wallet
    batches_in_flight: int  # transactions of large requests at once; small ones share one
    watch_every_s: float  # between two looks at all wallets that are watched
    expire_every_s: float  # between two looks for holds that had their time
    ledger_target: str  # host:port to compare wallets with; empty for none
    compare_every_s: float  # between two comparisons

    @classmethod
    def read(cls, environment: Environment) -> "WalletSettings":
        """Read WALLET_DATABASE_URL and the others.

        Raises:
            SettingsError: one is missing or malformed.
        """
        return cls(
            database_url=Secret(environment.text("WALLET_DATABASE_URL")),
            database_connections=environment.integer("WALLET_DATABASE_CONNECTIONS", 12),
            database_timeout_s=environment.number("WALLET_DATABASE_TIMEOUT_S", 10.0),
            report_timeout_s=environment.number("WALLET_REPORT_TIMEOUT_S", 30.0),
            batches_in_flight=environment.integer("WALLET_BATCHES_IN_FLIGHT", 2),
            watch_every_s=environment.number("WALLET_WATCH_EVERY_S", 0.2),
            expire_every_s=environment.number("WALLET_EXPIRE_EVERY_S", 1.0),
            ledger_target=environment.text("LEDGER_TARGET", ""),
            compare_every_s=environment.number("WALLET_COMPARE_EVERY_S", 300.0),
        )
