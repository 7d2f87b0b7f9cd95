"""Keeps the wallets' books: decides batches of commands and writes them.

What it knows of wallets is hearsay: the statement that writes a batch holds the version of each
wallet against what the batch was decided on. Whatever would be refused is decided under locks, and
so is what needs more than wallets: holds, and what is taken back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import psycopg

from bookkeeping.pipeline import Overtaken
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

_KNOWN_MAX = 20_000  # some 10 MB


class Found(NamedTuple):
    """What is needed to decide: the wallets by name, sorted, and those not known before."""

    names: Sequence[str]
    wallets: Sequence[Wallet]


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that waits to be written: its answers, and its rows, made ahead."""

    outcomes: Sequence[ReversalOutcome]
    rows: dict[str, Any]


class WalletBookkeeper:
    """Decides and writes batches of commands, as a pipeline has it.

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
        self._known: dict[str, Wallet] = {}

    def can_go_ahead(self, commands: Sequence[Command]) -> bool:
        """Tell whether their wallets are all that is needed."""
        return lookup.needs_wallets_alone(commands)

    async def look_up(self, commands: Sequence[Command]) -> Found:
        """Find the wallets that are not known.

        Raises:
            Unavailable: the database did not answer.
        """
        names = sorted(lookup.touched(commands, ()))
        missing = [name for name in names if name not in self._known]
        if not missing:
            return Found(names, ())
        read = partial(lookup.wallets, wallet_ids=missing)
        return Found(names, await self._database.run(read, alone=True))

    def decide(self, commands: Sequence[Command], found: Found) -> Batch | None:
        """Decide on the wallets as the last batch leaves them; None when somebody would be refused,
        or there is nothing to write.
        """
        if found.wallets:
            self._learn(found.wallets)
        there = [self._known[name] for name in found.names if name in self._known]
        wallets = Wallets(there, now=self._clock())
        outcomes = decide(wallets, commands)
        if not wallets.applied or any(isinstance(outcome, Refusal) for outcome in outcomes):
            return None
        self._follow(wallets)
        return Batch(outcomes, batch_rows.batch(wallets))

    async def write(self, batch: Batch) -> Sequence[ReversalOutcome]:
        """Write a batch, if its wallets are as it was decided on.

        Raises:
            Overtaken: one is not, or an id is claimed.
            Unavailable: the database did not answer.
        """
        # The last moment at which nothing is committed, as under locks.
        await self._faults.reach("wallet.batch.written")
        await self._database.run(partial(_write_ahead, rows=batch.rows), alone=True)
        await self._committed(batch.outcomes)
        return batch.outcomes

    async def lock_and_write(self, commands: Sequence[Command]) -> Sequence[ReversalOutcome]:
        """Lock, look up, decide and write.

        Raises:
            Unavailable: the database did not answer.
        """
        work = partial(self._lock_and_write, commands=commands)
        wallets, outcomes = await self._database.run(work)
        await self._committed(outcomes)
        self._learn(wallets.wallets.values())
        self._follow(wallets)
        return outcomes

    def take_back(self, batch: Batch) -> None:
        """Know nothing any more."""
        self.forget()

    def forget(self) -> None:
        """Know nothing any more."""
        self._known = {}

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

    async def _committed(self, outcomes: Sequence[ReversalOutcome]) -> None:
        await self._faults.reach("wallet.batch.committed")
        self._log.debug("applied", count=len(outcomes))

    def _learn(self, found: Iterable[Wallet]) -> None:
        """Keep wallets as they were read."""
        if len(self._known) > 2 * _KNOWN_MAX:
            self._known = dict(list(self._known.items())[-_KNOWN_MAX:])
        self._known.update((wallet.wallet_id, wallet) for wallet in found)

    def _follow(self, wallets: Wallets) -> None:
        """Keep what a batch makes of its wallets, though it may not be written yet."""
        for wallet, standing in wallets.changed:
            self._known[wallet.wallet_id] = wallet._replace(standing=standing)


async def _write_ahead(tx: Transaction, *, rows: dict[str, Any]) -> None:
    """Write what was decided without a lock, if the wallets are as they were known.

    Raises:
        Overtaken: one is not, or an id is claimed.
    """
    try:
        await tx.execute(statements.WRITE, rows)
    except (psycopg.errors.DivisionByZero, psycopg.errors.UniqueViolation) as error:
        raise Overtaken from error
