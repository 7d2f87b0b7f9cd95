"""`AuditStore` over PostgreSQL: payments by their ids, which sort by time, with their sagas."""

from collections.abc import Sequence
from datetime import datetime

from chassis.database import Database, Transaction
from chassis.ids import new_id
from payment_svc.audit_ports import Audited, Place, Unreadable
from payment_svc.claimed import why
from payment_svc.domain.soundness import Standing
from payment_svc.store import load_readable

_PAGE = """
SELECT payment_id FROM payments
WHERE payment_id >= %s AND payment_id < %s AND payment_id > %s
ORDER BY payment_id LIMIT %s
"""
# A saga that waits for its day is moved when that has come.
_RESTED = """
SELECT moved_at, saga_id, payment_id FROM sagas
WHERE queue IN ('DONE', 'DEAD_LETTER') AND (moved_at, saga_id) > (%s, %s)
ORDER BY moved_at, saga_id LIMIT %s
"""
_SAGAS = """
SELECT payment_id, saga_id, kind, queue, reason, due_at,
    CASE WHEN queue = 'DONE' AND kind IN ('pay_in', 'capture', 'late_success')
            AND (memory ? 'given_up_by' OR memory ? 'given_back_elsewhere_by')
        THEN coalesce(memory ->> 'late_attempt_id', memory ->> 'charge_attempt_id', '')
        ELSE '' END AS left_at_psp
FROM sagas
WHERE payment_id = ANY(%s) ORDER BY payment_id, saga_id
"""


class PostgresAuditStore:
    """See `audit_ports.AuditStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, created_from: datetime, created_to: datetime, after: str, limit: int
    ) -> Sequence[Audited | Unreadable]:
        """See `audit_ports.AuditStore.page`."""
        bounds = [_least(created_from), _least(created_to), after, limit]

        async def work(tx: Transaction) -> list[Audited | Unreadable]:
            found = await tx.all(_PAGE, bounds)
            return await _read(tx, [row["payment_id"] for row in found])

        return await self._database.run(work)

    async def rested(
        self, since: datetime, after: Place | None, limit: int
    ) -> Sequence[tuple[Place, str]]:
        """See `audit_ports.AuditStore.rested`."""
        begin = after or Place(since, "")
        found = await self._database.read(_RESTED, [begin.at, begin.saga_id, limit])
        return [(Place(row["moved_at"], row["saga_id"]), row["payment_id"]) for row in found]

    async def read(self, payment_ids: Sequence[str]) -> Sequence[Audited | Unreadable]:
        """See `audit_ports.AuditStore.read`."""
        return await self._database.run(lambda tx: _read(tx, payment_ids))

    async def find(self, payment_ids: Sequence[str]) -> Sequence[Audited]:
        """See `audit_ports.AuditStore.find`."""
        return [one for one in await self.read(payment_ids) if isinstance(one, Audited)]


async def _read(tx: Transaction, payment_ids: Sequence[str]) -> list[Audited | Unreadable]:
    """Read sagas first: a payment that one of them has moved since is then seen as moved."""
    if not payment_ids:
        return []
    sagas: dict[str, list[Standing]] = {}
    for row in await tx.all(_SAGAS, [list(payment_ids)]):
        payment_id = row.pop("payment_id")
        sagas.setdefault(payment_id, []).append(Standing(**row))
    payments, problems = await load_readable(tx, payment_ids)
    return [
        Audited(payments[payment_id], tuple(sagas.get(payment_id, ())))
        if payment_id in payments
        else Unreadable(payment_id, why(problems[payment_id]))
        for payment_id in sorted(payments.keys() | problems.keys())
    ]


def _least(moment: datetime) -> str:
    """Make the least id that a payment of this moment can have."""
    return new_id("pay", moment, bytes)
