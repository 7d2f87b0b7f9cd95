"""What a service's own tables say was changed, and no line of its log tells.

Each service makes a query that answers `subject` and `how` of each such change, in one statement:
a change and its line are one transaction, so that neither is seen without the other.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import LiteralString

from prometheus_client import Gauge

from audit_log.chain import Kind, Offence
from chassis.clock import Clock
from chassis.database import Database
from chassis.server import Job, repeat
from chassis.telemetry import REGISTRY, logger

TOLD_MAX = 10_000
EVERY_S = 900.0
WINDOW = timedelta(hours=2)
# Since when there is a log; a caller may ask for what is younger. Whoever took the first line away
# has everything told, what is older than the log too.
BEGAN: LiteralString = """
(SELECT greatest(coalesce(min(at), '-infinity'), %(since)s::timestamptz)
 FROM audit_log WHERE sequence = 1)
"""

UNLOGGED = Gauge(
    "paymesh_audit_log_unlogged",
    "Changes of the last two hours that the audit log does not tell of.",
    registry=REGISTRY,
)
LAST_SUCCESS = Gauge(
    "paymesh_audit_log_last_success_timestamp",
    "When the audit log was last held against what was changed, in Unix seconds; 0: never.",
    registry=REGISTRY,
)


async def find_unlogged(
    database: Database, query: LiteralString, since: datetime | None, timeout_s: float
) -> Sequence[Offence]:
    """Find changes without a line, the first 10,000 at most.

    Args:
        database: the service's.
        query: the service's own; it has a place for `since`.
        since: changes from then on; None: all since there is a log.
        timeout_s: for the query.

    Raises:
        Unavailable: the database did not answer; nothing is known then.
    """
    if not query:
        return ()
    found = await database.run(
        lambda tx: tx.all(f"SELECT * FROM ({query}) AS u LIMIT {TOLD_MAX}", {"since": since}),
        timeout_s=timeout_s,
        alone=True,
    )
    return [Offence(Kind.CHANGE_UNLOGGED, row["subject"], row["how"]) for row in found]


def watching(database: Database, query: LiteralString, clock: Clock) -> Job:
    """Look for recent ones every quarter of an hour, and tell Prometheus; a line in the log for
    each.
    """

    async def work() -> bool:
        now = clock()
        found = await find_unlogged(database, query, now - WINDOW, timeout_s=60.0)
        for one in found:
            logger().error("change_unlogged", subject_id=one.subject, reason=one.message)
        UNLOGGED.set(len(found))
        LAST_SUCCESS.set(now.timestamp())
        return False

    return lambda stopping: repeat("audit_unlogged", work, stopping, pause_s=EVERY_S)
