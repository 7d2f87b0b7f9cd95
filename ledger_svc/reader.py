"""Reads the books from PostgreSQL."""

from collections.abc import Sequence

from psycopg.rows import DictRow

from chassis.database import Database
from ledger_svc import rows, statements
from ledger_svc.domain.account import Account
from ledger_svc.domain.transaction import Entry, Transaction
from ledger_svc.ports import EntryFilter, TrialBalanceLine


class LedgerReader:
    """The books, for reading; each answer is of one moment.

    Args:
        database: opened as the app role.
        report_timeout_s: for what reads the whole ledger.
    """

    def __init__(self, database: Database, *, report_timeout_s: float = 30.0) -> None:
        self._database = database
        self._report_timeout_s = report_timeout_s

    async def transaction(self, reference: str) -> Transaction | None:
        """Find a transaction by its reference."""
        found = await self._all(statements.CLAIMED, [[reference]])
        known = rows.to_transactions([row for row in found if not row["is_closed"]])
        return known[0] if known else None

    async def account(self, account_id: str) -> Account | None:
        """Find an account."""
        found = await self._all(statements.ACCOUNTS, [[account_id]])
        return rows.to_account(found[0]) if found else None

    async def account_entries(
        self, account_id: str, *, before: int | None, limit: int
    ) -> Sequence[Entry]:
        """List an account's entries, the newest first, from before an `account_sequence`."""
        conditions: list[str] = ["e.account_id = %s"]
        parameters: list[object] = [account_id]
        if before is not None:
            conditions.append("e.account_sequence < %s")
            parameters.append(before)
        return await self._entries(conditions, parameters, "e.account_sequence DESC", limit)

    async def entries(
        self, which: EntryFilter, *, before: tuple[str, int] | None, limit: int
    ) -> Sequence[Entry]:
        """List entries, the newest transaction first, from before (transaction id, line)."""
        conditions: list[str] = []
        parameters: list[object] = []
        if which.subject_id:
            conditions.append("t.subject_id = %s")
            parameters.append(which.subject_id)
        if which.account_id:
            conditions.append("e.account_id = %s")
            parameters.append(which.account_id)
        if before is not None:
            conditions.append("(e.transaction_id, e.line) < (%s, %s)")
            parameters.extend(before)
        order = "e.transaction_id DESC, e.line DESC"
        return await self._entries(conditions, parameters, order, limit)

    async def trial_balance(self) -> Sequence[TrialBalanceLine]:
        """Sum the entries per currency, by currency: reads every entry."""
        found = await self._database.run(
            lambda tx: tx.all(statements.TRIAL_BALANCE), timeout_s=self._report_timeout_s
        )
        return [TrialBalanceLine(**row) for row in found]

    async def _entries(
        self, conditions: Sequence[str], parameters: Sequence[object], order: str, limit: int
    ) -> list[Entry]:
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        query = f"{statements.ENTRIES}{where} ORDER BY {order} LIMIT %s"
        return [rows.to_entry(row) for row in await self._all(query, [*parameters, limit])]

    async def _all(self, query: str, parameters: Sequence[object]) -> list[DictRow]:
        return await self._database.read(query, parameters)
