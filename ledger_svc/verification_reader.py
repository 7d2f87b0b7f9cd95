"""Reads the books for their verification, and keeps the seals."""

import json
from collections.abc import Sequence

from psycopg.rows import DictRow

from chassis.clock import Clock, utc_now
from chassis.database import Database, Transaction
from ledger_svc import lookup, rows, statements
from ledger_svc.arrays import texts
from ledger_svc.domain.chain import Head
from ledger_svc.domain.seal import Seal, SealedHead, next_seal
from ledger_svc.domain.transaction import Transaction as LedgerTransaction
from ledger_svc.ports import Snapshot


class VerificationReader:
    """The books, from the first transaction to the last.

    Args:
        database: opened as the app role.
        report_timeout_s: for the snapshot, which reads every account.
        clock: tells when a seal is made.
    """

    def __init__(
        self, database: Database, *, report_timeout_s: float = 30.0, clock: Clock = utc_now
    ) -> None:
        self._database = database
        self._report_timeout_s = report_timeout_s
        self._clock = clock

    async def snapshot(self) -> Snapshot:
        """Read all heads and accounts as they are at one moment."""
        return await self._database.run(_snapshot, timeout_s=self._report_timeout_s)

    async def heads(self) -> Sequence[Head]:
        """Read where each stream ends now."""
        return [_to_head(row) for row in await self._database.read(statements.HEADS)]

    async def transactions(self, after: str, *, limit: int) -> Sequence[LedgerTransaction]:
        """Read the transactions past an id, the ids ascending, whole."""

        async def work(tx: Transaction) -> Sequence[LedgerTransaction]:
            found = await tx.all(statements.TRANSACTIONS_AFTER, [after[4:], limit])
            return sorted(await lookup.whole(tx, found), key=lambda one: one.transaction_id)

        return await self._database.run(work, timeout_s=self._report_timeout_s)

    async def claims(self, references: Sequence[str]) -> dict[str, str]:
        """Find the transaction ids that references are claimed by; closed ones are left out."""
        found = await self._database.read(statements.CLAIMED, [texts(references)])
        return {
            row["reference"]: rows.to_name(row["transaction_id"])
            for row in found
            if row["transaction_id"] is not None
        }

    async def seals(self, *, after: int, limit: int) -> Sequence[Seal]:
        """Read seals past a number, ascending."""
        return [_to_seal(x) for x in await self._database.read(statements.SEALS, [after, limit])]

    async def seals_before(self, number: int, *, limit: int) -> Sequence[Seal]:
        """Read seals before a number, the newest first."""
        found = await self._database.read(statements.SEALS_BEFORE, [number, limit])
        return [_to_seal(row) for row in found]

    async def seal(self) -> Seal | None:
        """Seal the heads as they are now; None when none has moved, or another was faster."""

        async def work(tx: Transaction) -> Seal | None:
            last = [_to_seal(row) for row in await tx.all(statements.LAST_SEAL)]
            heads = [_to_head(row) for row in await tx.all(statements.HEADS)]
            made = next_seal(last[0] if last else None, heads, self._clock())
            if made is None:
                return None
            told = [(head.stream, head.number, head.hash.hex()) for head in made.heads]
            values = [made.number, made.sealed_at, json.dumps(told), made.hash]
            return made if await tx.execute(statements.INSERT_SEAL, values) else None

        return await self._database.run(work)


async def _snapshot(tx: Transaction) -> Snapshot:
    await tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    heads = [_to_head(row) for row in await tx.all(statements.HEADS)]
    accounts = [rows.to_account(row) for row in await tx.all(statements.ALL_ACCOUNTS)]
    return Snapshot(heads, accounts)


def _to_head(row: DictRow) -> Head:
    return Head(row["stream"], row["number"], bytes(row["hash"]), row["written_at"])


def _to_seal(row: DictRow) -> Seal:
    heads = tuple(
        SealedHead(stream, number, bytes.fromhex(hash_)) for stream, number, hash_ in row["heads"]
    )
    return Seal(row["number"], row["sealed_at"], heads, bytes(row["hash"]))
