"""Reads wallets from PostgreSQL."""

from collections.abc import Sequence

from psycopg.rows import DictRow

from chassis.database import Database
from wallet_svc import rows, statements
from wallet_svc.domain.operation import Operation
from wallet_svc.domain.wallet import Wallet
from wallet_svc.ports import Moment, OperationFilter


class WalletReader:
    """The wallets, for reading; each answer is of one moment.

    Args:
        database: opened as the app role.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def wallet(self, wallet_id: str) -> Wallet | None:
        """Find a wallet."""
        found = await self._all(statements.WALLETS, [[wallet_id]])
        return rows.to_wallet(found[0]) if found else None

    async def wallet_operations(
        self, wallet_id: str, *, before: int | None, limit: int
    ) -> Sequence[Operation]:
        """List a wallet's operations, the newest first, from before a `wallet_sequence`."""
        conditions: list[str] = ["o.wallet_id = %s"]
        parameters: list[object] = [wallet_id]
        if before is not None:
            conditions.append("o.wallet_sequence < %s")
            parameters.append(before)
        return await self._operations(conditions, parameters, "o.wallet_sequence DESC", limit)

    async def operations(
        self, which: OperationFilter, *, before: Moment | None, limit: int
    ) -> Sequence[Operation]:
        """List operations, the newest first, from before a moment."""
        conditions: list[str] = []
        parameters: list[object] = []
        if which.subject_id:
            conditions.append("o.subject_id = %s")
            parameters.append(which.subject_id)
        if which.wallet_id:
            conditions.append("o.wallet_id = %s")
            parameters.append(which.wallet_id)
        if before is not None:
            conditions.append("(o.created_at, o.wallet_sequence, o.operation_id) < (%s, %s, %s)")
            parameters += [before.created_at, before.wallet_sequence, before.operation_id]
        order = "o.created_at DESC, o.wallet_sequence DESC, o.operation_id DESC"
        return await self._operations(conditions, parameters, order, limit)

    async def _operations(
        self, conditions: Sequence[str], parameters: Sequence[object], order: str, limit: int
    ) -> list[Operation]:
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        query = f"{statements.OPERATIONS}{where} ORDER BY {order} LIMIT %s"
        return [rows.to_operation(row) for row in await self._all(query, [*parameters, limit])]

    async def _all(self, query: str, parameters: Sequence[object]) -> list[DictRow]:
        return await self._database.read(query, parameters)
