"""Reads the books for their verification, and keeps the seals."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from psycopg.rows import DictRow

from audit_log.origin import by_caller
from audit_log.writing import add_in
from chassis.clock import Clock, utc_now
from chassis.database import Database, Transaction
from chassis.money import Money
from ledger_svc import lookup, rows, statements
from ledger_svc.arrays import plain, texts
from ledger_svc.domain import chain
from ledger_svc.domain.chain import Head
from ledger_svc.domain.checkpoint import AccountAt, Checkpoint
from ledger_svc.domain.posting import Line
from ledger_svc.domain.seal import Seal, SealedHead, next_seal
from ledger_svc.domain.transaction import Transaction as LedgerTransaction
from ledger_svc.moment import Moment
from ledger_svc.ports import Archived, Snapshot


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

    async def snapshot(self, open_before: datetime | None) -> Snapshot:
        """Read all heads and accounts as they are at one moment, and what is pending since before a
        time; None: nothing is.
        """
        return await self._database.run(
            lambda tx: _snapshot(tx, open_before), timeout_s=self._report_timeout_s
        )

    async def heads(self) -> Sequence[Head]:
        """Read where each stream ends now."""
        return [_to_head(row) for row in await self._database.read(statements.HEADS)]

    async def transactions(
        self, after: str, *, before: str, limit: int
    ) -> Sequence[LedgerTransaction]:
        """Read the transactions between two ids, the ids ascending, whole."""

        async def work(tx: Transaction) -> Sequence[LedgerTransaction]:
            found = await tx.all(statements.TRANSACTIONS_AFTER, [after[4:], before[4:], limit])
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
            values = [made.number, made.sealed_at, _to_json(made.heads), made.hash]
            return made if await tx.execute(statements.INSERT_SEAL, values) else None

        return await self._database.run(work)

    async def archived(self) -> Archived | None:
        """Tell what is archived."""
        found = await self._database.read(statements.ARCHIVED)
        return Archived(found[0]["until"], found[0]["effective_until"]) if found else None

    async def checkpoints(self, *, after: int, limit: int) -> Sequence[Checkpoint]:
        """Read checkpoints past a number, ascending."""
        found = await self._database.read(statements.CHECKPOINTS, [after, limit])
        return [_to_checkpoint(row) for row in found]

    async def checkpoints_before(self, number: int, *, limit: int) -> Sequence[Checkpoint]:
        """Read checkpoints before a number, the newest first."""
        found = await self._database.read(statements.CHECKPOINTS_BEFORE, [number, limit])
        return [_to_checkpoint(row) for row in found]

    async def balances_at(self, checkpoint: Checkpoint) -> Sequence[AccountAt]:
        """Read what the accounts had at a checkpoint, by account id."""
        found = await self._database.run(
            lambda tx: tx.all(statements.CHECKPOINT_BALANCES, [checkpoint.number]),
            timeout_s=self._report_timeout_s,
            alone=True,
        )
        kept = [
            AccountAt(
                row["account_id"],
                Money.of_stored(row["balance"], row["currency"]),
                row["entry_count"],
            )
            for row in found
        ]
        return sorted(kept)

    async def fence(self, until: datetime) -> None:
        """See to it that nothing is written any more under a time before this one."""
        await self._database.run(lambda tx: tx.execute(statements.FENCE_STREAMS, [until]))

    async def keep(self, checkpoint: Checkpoint, balances: Sequence[AccountAt]) -> None:
        """Keep a checkpoint, whole; nothing when another with its number is there."""
        made = checkpoint
        values = [
            *(made.number, made.until, made.made_at, _to_json(made.heads)),
            *(made.transaction_count, made.entry_count, made.effective_until),
            *(made.balances_hash, made.hash),
        ]
        columns = [
            texts([one.account_id for one in balances]),
            plain([one.balance.amount for one in balances]),
            plain([one.entry_count for one in balances]),
        ]

        async def work(tx: Transaction) -> None:
            if await tx.execute(statements.INSERT_CHECKPOINT, values):
                await tx.execute(statements.INSERT_CHECKPOINT_BALANCES, [made.number, *columns])
                after = {"checkpoint": made.number, "hash": made.hash.hex()}
                month = f"{made.until - timedelta(days=1):%Y-%m}"
                told = by_caller("ledger_svc/CloseMonth", "month", month, after=after)
                await add_in(tx, [told])

        await self._database.run(work, timeout_s=self._report_timeout_s)


async def _snapshot(tx: Transaction, open_before: datetime | None) -> Snapshot:
    await Moment.begin(tx)
    heads = [_to_head(row) for row in await tx.all(statements.HEADS)]
    accounts = [rows.to_account(row) for row in await tx.all(statements.ALL_ACCOUNTS)]
    return Snapshot(heads, accounts, await _open_lines(tx, open_before) if open_before else {})


async def _open_lines(tx: Transaction, before: datetime) -> dict[str, list[Line]]:
    lines: dict[str, list[Line]] = {}
    for row in await tx.all(statements.OPEN_LINES, [chain.first_id(before)[4:]]):
        lines.setdefault(row["reference"], []).append(rows.to_line(row))
    return lines


def _to_head(row: DictRow) -> Head:
    return Head(row["stream"], row["number"], bytes(row["hash"]), row["written_at"])


def _to_seal(row: DictRow) -> Seal:
    return Seal(row["number"], row["sealed_at"], _to_heads(row), bytes(row["hash"]))


def _to_checkpoint(row: DictRow) -> Checkpoint:
    return Checkpoint(
        row["number"],
        row["until"],
        row["made_at"],
        _to_heads(row),
        row["transaction_count"],
        row["entry_count"],
        row["effective_until"],
        bytes(row["balances_hash"]),
        bytes(row["hash"]),
    )


def _to_heads(row: DictRow) -> tuple[SealedHead, ...]:
    return tuple(
        SealedHead(stream, number, bytes.fromhex(hash_)) for stream, number, hash_ in row["heads"]
    )


def _to_json(heads: Iterable[SealedHead]) -> str:
    return json.dumps([(head.stream, head.number, head.hash.hex()) for head in heads])
