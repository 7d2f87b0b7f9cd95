"""Tells the audit log what is about to be done outside of one transaction."""

from collections.abc import Mapping

from audit_log.origin import by_caller
from audit_log.writing import add_alone
from chassis.database import Database


async def tell_audit_log(
    database: Database, object_kind: str, object_id: str, after: Mapping[str, object]
) -> None:
    """See `ports.TellAudit`.

    Raises:
        Unavailable: it could not be told; nothing may be done then.
    """
    change = by_caller(f"psp_gateway/{object_kind}", object_kind, object_id, after=after)
    await add_alone(database, [change])
