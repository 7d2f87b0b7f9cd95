"""The log put beside what a service serves already."""

from dataclasses import replace
from typing import LiteralString

from audit_log.sealer import sealing
from audit_log.servicer import NAME, serving
from audit_log.unlogged import watching
from chassis.clock import utc_now
from chassis.database import Database
from chassis.server import Wiring


def with_audit_log(wiring: Wiring, database: Database, unlogged: LiteralString) -> Wiring:
    """Serve the log of a service's database too, seal it, and hold it against what was changed.

    Args:
        wiring: what there is already.
        database: the service's.
        unlogged: the service's query for changes without a line, see `audit_log.unlogged`.
    """
    return replace(
        wiring,
        register=[*wiring.register, serving(database, unlogged)],
        names=[*wiring.names, NAME],
        jobs=[*wiring.jobs, sealing(database), watching(database, unlogged, utc_now)],
    )
