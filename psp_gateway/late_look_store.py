"""Keeps in PostgreSQL when attempts that were given up are looked at again. Times that decide who
looks are the database's.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from chassis.database import Database, columns
from psp_gateway import rows
from psp_gateway.domain.attempt import Attempt
from psp_gateway.domain.late_looks import LateLook

# The predicate is that of the index.
_GIVEN_UP = """
SELECT a.* FROM attempts AS a
WHERE a.updated_at > %s AND a.updated_at <= %s
    AND ((a.kind IN ('CHARGE', 'AUTHORIZATION', 'CAPTURE') AND a.outcome <> 'SUCCEEDED')
        OR (a.kind = 'VOID' AND a.outcome = 'SUCCEEDED'))
    AND NOT EXISTS (SELECT 1 FROM late_looks AS l WHERE l.attempt_id = a.attempt_id)
ORDER BY a.updated_at LIMIT %s
"""
_PLAN = """
INSERT INTO late_looks (attempt_id, given_up_at, made, due_at)
SELECT * FROM unnest(%b::text[], %b::timestamptz[], %b::int[], %b::timestamptz[])
ON CONFLICT (attempt_id) DO NOTHING
"""
_CLAIM = """
UPDATE late_looks SET due_at = now() + %s
WHERE attempt_id IN (
    SELECT attempt_id FROM late_looks WHERE due_at <= now()
    ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
)
RETURNING attempt_id, given_up_at, made, due_at
"""
_SETTLE = """
UPDATE late_looks AS l SET made = new.made, due_at = new.due_at
FROM unnest(%b::text[], %b::int[], %b::timestamptz[], %b::timestamptz[])
    AS new (attempt_id, made, due_at, leased_until)
WHERE l.attempt_id = new.attempt_id AND l.due_at = new.leased_until
"""


class LateLookStore:
    """`ports.LateLooks` on PostgreSQL.

    Args:
        database: opened as the app role.
        lease: how long a look that was claimed is nobody else's.
    """

    def __init__(self, database: Database, lease: timedelta = timedelta(minutes=2)) -> None:
        self._database = database
        self._lease = lease

    async def given_up(self, since: datetime, until: datetime, limit: int) -> Sequence[Attempt]:
        """See `ports.LateLooks.given_up`."""
        found = await self._database.read(_GIVEN_UP, [since, until, limit])
        # Where a buyer was sent is not needed here, and not read.
        hidden = {"redirect_url_encrypted": None, "redirect_url": ""}
        return [rows.to_attempt(row | hidden, self._database.keyring) for row in found]

    async def plan(self, looks: Sequence[LateLook]) -> None:
        """See `ports.LateLooks.plan`."""
        values = [(look.attempt_id, look.given_up_at, look.made, look.due_at) for look in looks]
        if values:
            await self._database.run(lambda tx: tx.execute(_PLAN, columns(values, 4)), alone=True)

    async def claim(self, limit: int) -> Sequence[LateLook]:
        """See `ports.LateLooks.claim`."""
        found = await self._database.read(_CLAIM, [self._lease, limit])
        return [LateLook(**row) for row in found]

    async def settle(self, settled: Sequence[tuple[LateLook, LateLook]]) -> None:
        """See `ports.LateLooks.settle`."""
        values = [
            (after.attempt_id, after.made, after.due_at, before.due_at) for before, after in settled
        ]
        if values:
            await self._database.run(lambda tx: tx.execute(_SETTLE, columns(values, 4)), alone=True)
