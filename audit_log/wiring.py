"""The log put beside what a service serves already."""

from dataclasses import replace

from audit_log.sealer import sealing
from audit_log.servicer import NAME, serving
from chassis.database import Database
from chassis.server import Wiring


def with_audit_log(wiring: Wiring, database: Database) -> Wiring:
    """Serve the log of a service's database too, and seal it."""
    return replace(
        wiring,
        register=[*wiring.register, serving(database)],
        names=[*wiring.names, NAME],
        jobs=[*wiring.jobs, sealing(database)],
    )
