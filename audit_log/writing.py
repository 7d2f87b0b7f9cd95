"""Adds records to the log, in the transaction of the change that they tell of."""

import json
from collections.abc import Sequence

from audit_log.record import Record
from chassis.database import Database, Transaction, Write

_ADD = """
INSERT INTO audit_log (actor_kind, actor_id, is_verified, action, request_id, object_kind,
    object_id, reason, before, after, hash)
SELECT * FROM unnest(%b::text[], %b::text[], %b::bool[], %b::text[], %b::text[], %b::text[],
    %b::text[], %b::text[], %b::jsonb[], %b::jsonb[], %b::bytea[])
"""
_WIDTH = 11


def add(records: Sequence[Record]) -> Write:
    """Make the write of records, for `Transaction.together`."""
    return Write(_ADD, [_row(one) for one in records], _WIDTH)


async def add_in(tx: Transaction, records: Sequence[Record]) -> None:
    """Add records within a transaction."""
    if records:
        await tx.together([add(records)])


async def add_alone(database: Database, records: Sequence[Record]) -> None:
    """Add records of what is about to be done outside the database, before it is done.

    Raises:
        Unavailable: the database did not answer; do nothing then.
    """
    await database.run(lambda tx: add_in(tx, records))


def _row(record: Record) -> tuple[object, ...]:
    who = record.origin
    return (
        who.actor_kind.value, who.actor_id, who.is_verified, who.action, who.request_id,
        record.object_kind, record.object_id, record.reason,
        json.dumps(dict(record.before)), json.dumps(dict(record.after)), record.hash,
    )  # fmt: skip
