"""Reads wallets from PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import LiteralString

from psycopg.rows import DictRow

from bookkeeping.arrays import plain, texts
from chassis.database import Database
from wallet_svc import rows, statements
from wallet_svc.domain.comparison import History, SubjectSum
from wallet_svc.domain.hold import Hold
from wallet_svc.domain.operation import Operation
from wallet_svc.domain.wallet import Wallet, WalletChange
from wallet_svc.ports import HoldPlace, Moment, OperationFilter

# Sort behind every character that a wallet's id may hold, and behind every hold.
_LAST = "~"
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

    async def wallet_operations(
        self, which: OperationFilter, *, before: int | None, limit: int
    ) -> Sequence[Operation]:
        """List one wallet's operations, the newest first, from before a `wallet_sequence`."""
        conditions, parameters = _conditions(which)
        if before is not None:
            conditions.append("o.wallet_sequence < %s")
            parameters.append(before)
        return await self._operations(conditions, parameters, "o.wallet_sequence DESC", limit)

    async def operations(
        self, which: OperationFilter, *, before: Moment | None, limit: int
    ) -> Sequence[Operation]:
        """List operations, the newest first, from before a moment."""
        conditions, parameters = _conditions(which)
        if before is not None:
            conditions.append("(o.created_at, o.wallet_sequence, o.operation_id) < (%s, %s, %s)")
            parameters += [before.created_at, before.wallet_sequence, before.operation_id]
        order: LiteralString = "o.created_at DESC, o.wallet_sequence DESC, o.operation_id DESC"
        return await self._operations(conditions, parameters, order, limit)

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

    async def _operations(
        self,
        conditions: Sequence[LiteralString],
        parameters: Sequence[object],
        order: LiteralString,
        limit: int,
    ) -> list[Operation]:
        where: LiteralString = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        query: LiteralString = f"{statements.OPERATIONS}{where} ORDER BY {order} LIMIT %s"
        found = await self._database.read(query, [*parameters, limit])
        return [rows.to_operation(row) for row in found]


def _conditions(which: OperationFilter) -> tuple[list[LiteralString], list[object]]:
    conditions: list[LiteralString] = []
    parameters: list[object] = []

    def require(condition: LiteralString, *values: object) -> None:
        conditions.append(condition)
        parameters.extend(values)

    if which.subject_id and which.wallet_id:
        pair = which.subject_id, which.wallet_id
        require(statements.OF_SUBJECT_IN_WALLET, *pair, *pair)
    elif which.subject_id:
        require("o.subject_id = %s", which.subject_id)
    elif which.wallet_id:
        require("o.wallet_id = %s", which.wallet_id)
    if which.kind is not None:
        require("o.kind = %s", which.kind.value)
    if which.created.start is not None:
        require("o.created_at >= %s", which.created.start)
    if which.created.end is not None:
        require("o.created_at < %s", which.created.end)
    return conditions, parameters
