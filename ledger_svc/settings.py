"""Every knob of the ledger, its unit and default."""

from dataclasses import dataclass

from chassis.settings import Environment
from privacy.masked import Secret


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """What the ledger needs to know beside what every service does."""

    database_url: Secret[str]  # of the app role
    database_connections: int  # at most
    database_timeout_s: float  # for one transaction, waiting for a connection included
    report_timeout_s: float  # for what reads the whole ledger
    proofs_at_once: int  # verifications and closings of months; each holds all accounts in memory
    batches_in_flight: int  # under way at once, of requests of more than 8 items
    expire_every_s: float  # between looks for pending transactions that had their time
    seal_every_s: float  # between seals
    months_ahead: int  # for which the books have tables; 0 where the database cuts them itself

    @classmethod
    def read(cls, environment: Environment) -> "LedgerSettings":
        """Read LEDGER_DATABASE_URL and the others.

        Raises:
            SettingsError: one is missing or malformed.
        """
        return cls(
            database_url=Secret(environment.text("LEDGER_DATABASE_URL")),
            database_connections=environment.integer("LEDGER_DATABASE_CONNECTIONS", 12),
            database_timeout_s=environment.number("LEDGER_DATABASE_TIMEOUT_S", 10.0),
            report_timeout_s=environment.number("LEDGER_REPORT_TIMEOUT_S", 30.0),
            proofs_at_once=environment.integer("LEDGER_PROOFS_AT_ONCE", 2),
            batches_in_flight=environment.integer("LEDGER_BATCHES_IN_FLIGHT", 2),
            expire_every_s=environment.number("LEDGER_EXPIRE_EVERY_S", 1.0),
            seal_every_s=environment.number("LEDGER_SEAL_EVERY_S", 60.0),
            months_ahead=environment.integer("LEDGER_MONTHS_AHEAD", 12),
        )
