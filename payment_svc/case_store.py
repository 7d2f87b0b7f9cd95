"""Cases in PostgreSQL: read alone; the moves of their sagas write them."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import LiteralString

from chassis.database import Database, Transaction
from chassis.money import Money
from payment_svc.domain.case import Case, CaseEvent, CaseKind, CaseStatus
from payment_svc.rows import Row

_LIST = """
SELECT * FROM cases WHERE status = %(status)s AND (opened_at, case_id) < (%(at)s, %(case_id)s)
ORDER BY opened_at DESC, case_id DESC LIMIT %(limit)s
"""
_BY_ID = "SELECT * FROM cases WHERE case_id = %s"
_OF_PAYMENT = "SELECT * FROM cases WHERE payment_id = %s ORDER BY opened_at, case_id"
_HISTORY = """
SELECT case_id, sequence, at, kind, detail FROM case_history
WHERE case_id = ANY(%s) ORDER BY case_id, sequence
"""
_END = datetime(9999, 1, 1, tzinfo=UTC)


class PostgresCaseStore:
    """`ports.CaseStore` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_cases(
        self, status: CaseStatus, limit: int, after: tuple[datetime, str] | None
    ) -> Sequence[Case]:
        """See `ports.CaseStore.list_cases`."""
        at, case_id = after or (_END, "")
        found = await self._database.read(
            _LIST, {"status": status.value, "at": at, "case_id": case_id, "limit": limit}
        )
        return [_to_case(row, ()) for row in found]

    async def find_case(self, case_id: str) -> Case | None:
        """See `ports.CaseStore.find_case`."""
        found = await self._database.run(lambda tx: _with_history(tx, _BY_ID, case_id))
        return next(iter(found), None)

    async def cases_of(self, payment_id: str) -> Sequence[Case]:
        """See `ports.CaseStore.cases_of`."""
        return await self._database.run(lambda tx: _with_history(tx, _OF_PAYMENT, payment_id))


async def _with_history(tx: Transaction, query: LiteralString, named: str) -> list[Case]:
    cases = await tx.all(query, [named])
    histories: dict[str, list[CaseEvent]] = defaultdict(list)
    for row in await tx.all(_HISTORY, [[case["case_id"] for case in cases]]):
        line = CaseEvent(row["sequence"], row["at"], row["kind"], row["detail"])
        histories[row["case_id"]].append(line)
    return [_to_case(case, histories[case["case_id"]]) for case in cases]


def _to_case(row: Row, history: Sequence[CaseEvent]) -> Case:
    return Case(
        case_id=row["case_id"],
        kind=CaseKind(row["kind"]),
        status=CaseStatus(row["status"]),
        payment_id=row["payment_id"],
        client_id=row["client_id"],
        subject_id=row["subject_id"],
        psp=row["psp"],
        psp_reference=row["psp_reference"],
        amount=str(Money.of_stored(row["amount"], row["currency"])),
        currency=row["currency"],
        opened_at=row["opened_at"],
        closed_at=row["closed_at"],
        resolution=row["resolution"],
        history=tuple(history),
    )
