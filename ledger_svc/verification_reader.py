"""Reads the books for their verification, and keeps the seals."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

from psycopg.rows import DictRow

from audit_log.origin import by_caller
from audit_log.writing import add_in
from bookkeeping.arrays import plain, texts
from chassis.clock import Clock, utc_now
from chassis.database import Database, Transaction
from chassis.money import Money
from ledger_svc import rows, statements, stretch_rows
from ledger_svc.domain import chain
from ledger_svc.domain.chain import Head
from ledger_svc.domain.checkpoint import AccountAt, Checkpoint
from ledger_svc.domain.held_accounts import HeldAccounts
from ledger_svc.domain.posting import Line
from ledger_svc.domain.seal import Seal, SealedHead, next_seal
from ledger_svc.domain.transaction import Kind
from ledger_svc.moment import Moment
from ledger_svc.ports import Archived, Snapshot, Stretch
from ledger_svc.stretch_rows import Rows
from paging.slices import slices

# Accounts that are read or written at once: others have their turn between two pages.
PAGE = 250
_WHOLE_S = 3_600.0
_ENTRIES_MAX = 64  # of a transaction
_AT_ONCE = 50
_LOWEST = "0" * 32


class VerificationReader:
    """The books, from the first transaction to the last.

    Args:
        database: opened as the app role.
        report_timeout_s: for a page of what is read or written of every account.
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
            lambda tx: self._snapshot(tx, open_before), timeout_s=_WHOLE_S
        )

    async def heads(self) -> Sequence[Head]:
        """Read where each stream ends now."""
        return [_to_head(row) for row in await self._database.read(statements.HEADS)]

    async def stretch(self, after: str, *, before: str, limit: int) -> Stretch:
        """Read the transactions between two ids, whole; fewer than `limit` are all. Empty, `after`
        is before every id.
        """
        first = _next(after[4:]) if after else _LOWEST
        return await self._database.run(
            lambda tx: _stretch(tx, first, before[4:], limit), timeout_s=self._report_timeout_s
        )

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

    async def balances_at(self, checkpoint: Checkpoint) -> AsyncIterator[Sequence[AccountAt]]:
        """Read what the accounts had at a checkpoint, page by page, by the accounts' keys."""
        page: list[Any] = [(0,)]
        query = statements.CHECKPOINT_BALANCES
        while page:
            asked = [checkpoint.number, page[-1][0], PAGE]
            page = await self._database.run(
                partial(Transaction.tuples, query=query, parameters=asked),
                timeout_s=self._report_timeout_s,
                alone=True,
            )
            yield [
                AccountAt(name, Money.of_stored(balance, currency), entry_count)
                for _, name, currency, balance, entry_count in page
            ]

    async def stray_balances(self) -> Sequence[int]:
        """Read numbers below and above those of all checkpoints for which balances are kept."""
        return [row["number"] for row in await self._database.read(statements.STRAY_BALANCES)]

    async def fence(self, until: datetime) -> None:
        """See to it that nothing is written any more under a time before this one."""
        last = {"last": until - timedelta(microseconds=1)}
        await self._database.run(lambda tx: tx.execute(statements.FENCE_STREAMS, last))

    async def keep(
        self, checkpoint: Checkpoint, balances: Callable[[], Iterator[AccountAt]]
    ) -> None:
        """Keep a checkpoint, whole; nothing when another with its number is there."""
        made = checkpoint
        values = [
            *(made.number, made.until, made.made_at, _to_json(made.heads)),
            *(made.transaction_count, made.entry_count, made.effective_until),
            *(made.balances_hash, made.hash),
        ]

        async def work(tx: Transaction) -> None:
            if await tx.execute(statements.INSERT_CHECKPOINT, values):
                left = balances()
                while page := list(islice(left, PAGE)):
                    async with asyncio.timeout(self._report_timeout_s):
                        await _insert(tx, made, page)
                after = {"checkpoint": made.number, "hash": made.hash.hex()}
                month = f"{made.until - timedelta(days=1):%Y-%m}"
                told = by_caller("ledger_svc/CloseMonth", "month", month, after=after)
                await add_in(tx, [told])

        await self._database.run(work, timeout_s=_WHOLE_S)

    async def _snapshot(self, tx: Transaction, open_before: datetime | None) -> Snapshot:
        await Moment.begin(tx)
        heads = [_to_head(row) for row in await tx.all(statements.HEADS)]
        lines = await _open_lines(tx, open_before) if open_before else {}
        opened = {name for (name,) in await tx.tuples(statements.OPEN_REFERENCES)}
        accounts = HeldAccounts()
        page: list[Any] = [("",)]
        while page:
            async with asyncio.timeout(self._report_timeout_s):
                page = await tx.tuples(statements.ACCOUNTS_AFTER, [page[-1][0], PAGE])
            for row in page:
                accounts.add(row[0], rows.to_account_now(row))
        return Snapshot(heads, accounts, lines, opened)


async def _stretch(tx: Transaction, first: str, before: str, limit: int) -> Stretch:
    heads = await tx.tuples(statements.TRANSACTIONS_FROM, [first, before, limit])
    if len(heads) == limit:  # what lies behind its last transaction is the next one's
        before = _next(stretch_rows.to_name(heads[-1][0])[4:])
    entries_max = limit * _ENTRIES_MAX
    entries = await tx.tuples(statements.ENTRIES_FROM, [first, before, entries_max])
    found = Rows(heads, entries, await _pending(tx, heads))
    transactions = [one async for piece in slices(found.transactions(), _AT_ONCE) for one in piece]
    found.finish()
    claims = [stretch_rows.to_name(head[-1]) if head[-1] else "" for head in heads]
    return Stretch(transactions, claims, found.strays)


def _next(digits: str) -> str:
    """Write the id right behind another."""
    return f"{int(digits, 16) + 1:032x}"


async def _pending(tx: Transaction, heads: Sequence[Any]) -> dict[str, tuple[Line, ...]]:
    lines: dict[str, list[Line]] = {}
    if ids := [head[0] for head in heads if head[4] == Kind.PENDING]:
        for row in await tx.all(statements.PENDING_LINES_OF, [plain(ids)]):
            lines.setdefault(str(row["transaction_id"]), []).append(rows.to_line(row))
    return {id_: tuple(own) for id_, own in lines.items()}


async def _insert(tx: Transaction, checkpoint: Checkpoint, page: Sequence[AccountAt]) -> None:
    columns = [
        texts([one.account_id for one in page]),
        plain([one.balance.amount for one in page]),
        plain([one.entry_count for one in page]),
    ]
    await tx.execute(statements.INSERT_CHECKPOINT_BALANCES, [checkpoint.number, *columns])


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
