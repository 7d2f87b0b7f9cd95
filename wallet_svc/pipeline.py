"""One batch is written while the next is decided, on what the first will leave.

So this process works while PostgreSQL does, as the ledger does (ADR 21 says why, and how); a batch
is answered when it is on disk. What the process knows of wallets is hearsay: the statement that
writes a batch holds the version of each wallet against what the batch was decided on. A batch that
fails takes the one behind it along; both are decided again, under locks. So is whatever would be
refused, and what needs more than wallets: holds, and what is taken back.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg

from chassis.clock import Clock
from chassis.database import Database, Transaction
from chassis.faults import FaultPoints
from chassis.telemetry import logger
from wallet_svc import batch_rows, lookup, statements
from wallet_svc.domain.decisions import decide
from wallet_svc.domain.errors import Refusal
from wallet_svc.domain.operation import Command
from wallet_svc.domain.wallet import Wallet
from wallet_svc.domain.wallets import ReversalOutcome, Wallets

_WARY_BATCHES_MAX = 64
_KNOWN_MAX = 20_000  # some 10 MB


class Overtaken(Exception):
    """A wallet is not as the batch took it to be, or an id is claimed; nothing was written."""


@dataclass(frozen=True, slots=True)
class _Decided:
    """A batch that waits to be written, in which round it was decided, and its rows, made ahead."""

    round: int
    outcomes: Sequence[ReversalOutcome]
    rows: dict[str, Any]


class Pipeline:
    """Decides and writes batches of commands.

    Args:
        database: opened as the app role.
        clock: tells `created_at`, and when holds had their time.
        faults: where a test may end the process.
    """

    def __init__(self, database: Database, clock: Clock, faults: FaultPoints) -> None:
        self._database = database
        self._clock = clock
        self._faults = faults
        self._log = logger()
        # Whoever writes has held `deciding` until then; so both have one order.
        self._deciding, self._writing = asyncio.Lock(), asyncio.Lock()
        self._known: dict[str, Wallet] = {}
        self._round = 0  # what was decided in an earlier one was decided on what did not happen
        self._is_redoing = False
        self._misses = self._wary = 0

    async def run(self, commands: Sequence[Command]) -> Sequence[ReversalOutcome]:
        """Do commands, each once, in one transaction; answer each in order.

        Raises:
            Unavailable: the database did not answer; asking again is safe.
        """
        async with self._deciding:
            if not self._trusts(commands):
                async with self._writing:
                    return await self._locked(commands)
            if self._is_redoing:
                async with self._writing:
                    pass  # what it leaves is known then
            decided = await self._decide(commands)
            await self._writing.acquire()
        try:
            return await self._write(commands, decided)
        finally:
            self._writing.release()

    def _trusts(self, commands: Sequence[Command]) -> bool:
        """Tell whether to decide on what is known. Where others write to the same wallets it is
        mostly wrong: the more often it was, the longer it is not asked.
        """
        if self._wary:
            self._wary -= 1
            return False
        return lookup.needs_wallets_alone(commands)

    async def _decide(self, commands: Sequence[Command]) -> _Decided | None:
        """Decide on what is known; None when somebody would be refused, or it is known no more."""
        round_ = self._round
        names = sorted(lookup.touched(commands, ()))
        if missing := [name for name in names if name not in self._known]:
            read = partial(lookup.wallets, wallet_ids=missing)
            found = await self._database.run(read, alone=True)
            if self._round != round_:
                return None
            self._learn(found)
        there = [self._known[name] for name in names if name in self._known]
        wallets = Wallets(there, now=self._clock())
        outcomes = decide(wallets, commands)
        if not wallets.applied or any(isinstance(outcome, Refusal) for outcome in outcomes):
            return None
        self._follow(wallets)
        return _Decided(round_, outcomes, batch_rows.batch(wallets))

    async def _write(
        self, commands: Sequence[Command], decided: _Decided | None
    ) -> Sequence[ReversalOutcome]:
        """Write what was decided, or decide it under locks."""
        if decided is not None and decided.round == self._round:
            try:
                # The last moment at which nothing is committed, as under locks.
                await self._faults.reach("wallet.batch.written")
                await self._database.run(partial(_write_ahead, rows=decided.rows), alone=True)
            except Overtaken:
                self._doubt(len(commands))
            except BaseException:
                self._lose()
                raise
            else:
                await self._committed(len(commands))
                self._misses = 0
                return decided.outcomes
        self._is_redoing = True
        try:
            return await self._locked(commands)
        finally:
            self._is_redoing = False

    async def _locked(self, commands: Sequence[Command]) -> Sequence[ReversalOutcome]:
        """Lock, decide and write, with nobody before or behind."""
        try:
            wallets, outcomes = await self._database.run(
                partial(self._lock_and_write, commands=commands)
            )
        except BaseException:
            self._lose()
            raise
        await self._committed(len(commands))
        self._learn(wallets.wallets.values())
        self._follow(wallets)
        return outcomes

    async def _lock_and_write(
        self, tx: Transaction, *, commands: Sequence[Command]
    ) -> tuple[Wallets, Sequence[ReversalOutcome]]:
        # What is reversed never changes, so it may be read before the lock; whether it has been
        # reversed, and what is still pending, may change, and is read after it.
        bases = lookup.reversed_ids(commands)
        credits, closed = await lookup.claimed(tx, sorted(bases)) if bases else ([], [])
        locked = await lookup.lock(tx, lookup.touched(commands, credits))
        known, kept_out = await lookup.claimed(tx, sorted(lookup.results(commands)))
        if arrived := [o for o in known if o.operation_id in bases and o not in credits]:
            # Applied elsewhere since: its wallet may be another than the one that was asked for.
            credits += arrived
            there = {wallet.wallet_id for wallet in locked}
            locked += await lookup.lock(tx, {o.wallet_id for o in arrived} - there)
        wallets = Wallets(
            locked,
            [*credits, *known],
            [*closed, *kept_out],
            holds=await lookup.holds(tx, commands),
            pending=await lookup.pending(tx, lookup.pots(commands, credits)),
            now=self._clock(),
        )
        outcomes = decide(wallets, commands)
        if wallets.applied or wallets.closings:
            await tx.execute(statements.WRITE, batch_rows.batch(wallets))
        if moved := batch_rows.holds(wallets):
            await tx.execute(statements.WRITE_HOLDS, moved)
        await self._faults.reach("wallet.batch.written")
        return wallets, outcomes

    async def _committed(self, count: int) -> None:
        await self._faults.reach("wallet.batch.committed")
        self._log.debug("applied", count=count)

    def _learn(self, found: Iterable[Wallet]) -> None:
        """Keep wallets as they were read."""
        if len(self._known) > 2 * _KNOWN_MAX:
            self._known = dict(list(self._known.items())[-_KNOWN_MAX:])
        self._known.update((wallet.wallet_id, wallet) for wallet in found)

    def _follow(self, wallets: Wallets) -> None:
        """Keep what a batch makes of its wallets, though it may not be written yet."""
        for wallet, standing in wallets.changed:
            self._known[wallet.wallet_id] = wallet._replace(standing=standing)

    def _doubt(self, count: int) -> None:
        """Nothing of a batch was written, since the wallets were not as they were known."""
        self._log.info("decided_again", count=count)
        self._lose()
        self._misses += 1
        self._wary = min(2**self._misses, _WARY_BATCHES_MAX) - 2

    def _lose(self) -> None:
        """Nobody knows what was written."""
        self._round += 1
        self._known = {}


async def _write_ahead(tx: Transaction, *, rows: dict[str, Any]) -> None:
    """Write what was decided without a lock, if the wallets are as they were known.

    Raises:
        Overtaken: one is not, or an id is claimed.
    """
    try:
        await tx.execute(statements.WRITE, rows)
    except (psycopg.errors.DivisionByZero, psycopg.errors.UniqueViolation) as error:
        raise Overtaken from error
