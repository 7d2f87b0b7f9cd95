"""Reads wallets from PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import LiteralString

from psycopg.rows import DictRow

from bookkeeping.arrays import plain, texts
from chassis.database import Database
from wallet_svc import ports, rows, statements
from wallet_svc.domain.comparison import History, SubjectSum
from wallet_svc.domain.hold import Hold
from wallet_svc.domain.operation import Operation
from wallet_svc.domain.wallet import Wallet, WalletChange
from wallet_svc.ports import HoldPlace, Moment, OperationFilter, Operations, Period

# Sort behind every character that a wallet's id may hold, and behind every hold.
_LAST = "~"
_FIRST = datetime(1, 1, 2, tzinfo=UTC)
# What an instance writes after another may say an earlier time, by less than this.
_CLOCKS_DIFFER = timedelta(minutes=5)
_LAST_PLACE = HoldPlace(datetime(9999, 1, 1, tzinfo=UTC), "")


class WalletReader:
    """The wallets, for reading; each answer is of one moment.

    Args:
        database: opened as the app role.
        report_timeout_s: for what reads all operations of a wallet.
    """

    def __init__(self, database: Database, *, report_timeout_s: float = 30.0) -> None:
        self._database = database
        self._report_timeout_s = report_timeout_s

    async def wallets(self, wallet_ids: Sequence[str]) -> Sequence[Wallet]:
        """Find wallets, by id; those that are not there are left out."""
        found = await self._database.read(statements.WALLETS, [texts(wallet_ids)])
        return [rows.to_wallet(row) for row in found]

    async def wallets_from(self, prefix: str, *, after: str, limit: int) -> Sequence[Wallet]:
        """List the wallets whose id begins with `prefix`, by id, from past `after` on."""
        bounds = [after, prefix, prefix + _LAST, limit]
        found = await self._database.read(statements.WALLETS_FROM, bounds)
        return [rows.to_wallet(row) for row in found]

    async def changed(self, seen: Mapping[str, int]) -> Sequence[Wallet]:
        """Find those of many wallets whose version is newer than the one that was seen."""
        found = await self._database.read(
            statements.CHANGED_WALLETS, [texts(list(seen)), plain(seen.values())]
        )
        return [rows.to_wallet(row) for row in found]

    async def changes(self, wallet_id: str, *, before: int, limit: int) -> Sequence[WalletChange]:
        """List the changes of a wallet's status and limit, the newest first, from before a version
        of it.
        """
        found = await self._database.read(statements.CHANGES, [wallet_id, before, limit])
        return [rows.to_change(row) for row in found]

    async def hold(self, hold_id: str) -> Hold | None:
        """Find a hold."""
        found = await self._database.read(statements.HOLDS, [texts([hold_id])])
        return rows.to_hold(found[0]) if found else None

    async def holds(
        self, wallet_id: str, *, only_open: bool, before: HoldPlace | None, limit: int
    ) -> Sequence[Hold]:
        """List a wallet's holds, the newest first, from before a place among them."""
        place = before or _LAST_PLACE
        query = statements.HOLDS_OF.format(is_open=statements.ONLY_OPEN if only_open else "")
        bounds = [wallet_id, place.created_at, place.hold_id, limit]
        return [rows.to_hold(row) for row in await self._database.read(query, bounds)]

    async def places(self, wallet_id: str, period: Period) -> tuple[int, int]:
        """Tell between which two places in a wallet's history, both without, all that was done in a
        period is; there may be others. Zeros: there is no such wallet.
        """
        counted = await self._database.read(statements.OPERATION_COUNT, [wallet_id])
        low, high = 0, counted[0]["operation_count"] + 1 if counted else 0
        if period.start is not None:
            low, _ = await self._place(wallet_id, _earlier(period.start)) or (0, 0)
        if period.end is not None:
            _, high = await self._place(wallet_id, _later(period.end)) or (0, 0)
        return low, high

    async def _place(self, wallet_id: str, at: datetime) -> tuple[int, int] | None:
        asked = {"wallet": wallet_id, "at": at}
        found = await self._database.read(statements.PLACE_OF_TIME, asked)
        return (found[0]["low"], found[0]["high"]) if found else None

    async def wallet_operations(
        self, which: OperationFilter, *, between: tuple[int, int], limit: int
    ) -> Sequence[Operation]:
        """List one wallet's operations, the newest first, between two places in its history."""
        conditions, parameters = _conditions(which)
        if which.kind is not None:
            conditions.append("o.kind = %s")
            parameters.append(which.kind.value)
        more: LiteralString = "".join(f" AND {condition}" for condition in conditions)
        query = statements.OPERATIONS_OF_WALLET.format(conditions=more)
        asked = [which.wallet_id, *between, *parameters, limit]
        return [rows.to_operation(row) for row in await self._database.read(query, asked)]

    async def operations(
        self, which: OperationFilter, *, before: Moment | None, limit: int
    ) -> Operations:
        """List operations, the newest first, from before a moment; of a kind, only some are looked
        at, unless they are of one object.
        """
        conditions, parameters = _conditions(which)
        if before is not None:
            conditions.append("(o.created_at, o.wallet_sequence, o.operation_id) < (%s, %s, %s)")
            parameters += [before.created_at, before.wallet_sequence, before.operation_id]
        if which.subject_id:
            return await self._of_subject(which, conditions, [*parameters, limit])
        if which.kind is not None:
            return await self._of_kind(conditions, [*parameters, which.kind.value, limit])
        query = statements.OPERATIONS.format(conditions=_all(conditions))
        found = await self._database.read(query, [*parameters, limit])
        return Operations([rows.to_operation(row) for row in found])

    async def _of_subject(
        self, which: OperationFilter, conditions: list[LiteralString], asked: list[object]
    ) -> Operations:
        of_subject, subject = statements.OF_SUBJECT, [which.subject_id]
        if which.wallet_id:
            of_subject = statements.OF_SUBJECT_IN_WALLET
            subject = [which.subject_id, which.wallet_id] * 2
        if which.kind is not None:
            conditions = ["o.kind = %s", *conditions]
            subject.append(which.kind.value)
        query = statements.OPERATIONS_OF_SUBJECT.format(
            of_subject=of_subject, conditions=_all(conditions)
        )
        found = await self._database.read(query, [*subject, *asked])
        return Operations([rows.to_operation(row) for row in found])

    async def _of_kind(
        self, conditions: Sequence[LiteralString], asked: Sequence[object]
    ) -> Operations:
        query = statements.OPERATIONS_OF_KIND.format(
            conditions=_all(conditions),
            looked_at_max=ports.LOOKED_AT_MAX,
        )
        read = await self._database.read(query, asked)
        found = [rows.to_operation(row) for row in read if not row["is_reached"]]
        for row in read:
            if row["is_reached"]:
                reached = Moment(row["created_at"], row["wallet_sequence"], row["operation_id"])
                return Operations(found, reached)
        return Operations(found)

    async def unfounded(self, wallet_ids: Sequence[str]) -> Sequence[str]:
        """Name those wallets, by id, whose balances are not what their newest operation left, or
        whose open holds are not what is held.
        """
        found = await self._report(statements.UNFOUNDED_WALLETS, [texts(wallet_ids)])
        return [row["wallet_id"] for row in found]

    async def history(self, wallet_id: str, since: datetime | None) -> History:
        """Sum what the operations of each object have changed in a wallet since a time; reads all
        of these.
        """
        opened: list[DictRow] = []
        if since is not None:
            opened = await self._report(statements.BEFORE, [wallet_id, since])
        sequence, opening = (opened[0]["wallet_sequence"], opened[0]["total"]) if opened else (0, 0)
        found = await self._report(statements.SUBJECT_SUMS, [wallet_id, sequence])
        sums = {
            row["subject_id"]: SubjectSum(row["total"], row["newest_at"], row["oldest_at"])
            for row in found
        }
        return History(since, Decimal(opening), sums)

    async def _report(self, query: LiteralString, parameters: Sequence[object]) -> list[DictRow]:
        return await self._database.run(
            lambda tx: tx.all(query, parameters), timeout_s=self._report_timeout_s, alone=True
        )


def _conditions(which: OperationFilter) -> tuple[list[LiteralString], list[object]]:
    conditions: list[LiteralString] = []
    parameters: list[object] = []
    if which.created.start is not None:
        conditions.append("o.created_at >= %s")
        parameters.append(which.created.start)
    if which.created.end is not None:
        conditions.append("o.created_at < %s")
        parameters.append(which.created.end)
    return conditions, parameters


def _all(conditions: Sequence[LiteralString]) -> LiteralString:
    return " AND ".join(conditions) or "true"


def _earlier(moment: datetime) -> datetime:
    return moment - _CLOCKS_DIFFER if moment - _FIRST > _CLOCKS_DIFFER else _FIRST


def _later(moment: datetime) -> datetime:
    return moment + _CLOCKS_DIFFER if _LAST_PLACE.created_at - moment > _CLOCKS_DIFFER else moment
