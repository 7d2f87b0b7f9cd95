"""Writes wallets to PostgreSQL: a transaction a batch, a handful of set statements whatever its
size.

The wallets are locked first, in the order of their ids, then what exists is read, then all is
written: in separate statements, since a lock wait does not refresh its own statement's snapshot. An
operation id that another process claims in between fails the batch with 23505; the whole then runs
again and finds it.
"""

from collections.abc import Iterable, Sequence

from chassis.clock import Clock, utc_now
from chassis.database import Database, Transaction, columns
from chassis.telemetry import logger
from wallet_svc import rows, statements
from wallet_svc.domain.errors import Refusal
from wallet_svc.domain.operation import NewOperation, Operation, reversal_id
from wallet_svc.domain.wallet import NewWallet, Wallet
from wallet_svc.domain.wallets import Outcome, ReversalOutcome, Wallets
from wallet_svc.group_commit import GroupCommit


class WalletStore:
    """The wallets, for writing.

    Args:
        database: opened as the app role.
        batches_in_flight: see `GroupCommit`; for operations and for reversals each.
        clock: tells `created_at`.
    """

    def __init__(
        self, database: Database, *, batches_in_flight: int = 2, clock: Clock = utc_now
    ) -> None:
        self._database = database
        self._clock = clock
        self._log = logger()
        self._operations = GroupCommit(self._run_operations, in_flight=batches_in_flight)
        self._reversals = GroupCommit(self._run_reversals, in_flight=batches_in_flight)

    async def open_wallets(self, asked: Sequence[NewWallet]) -> Sequence[Wallet | Refusal]:
        """Open the wallets that are not there yet; answer each in order.

        Raises:
            Unavailable: the database did not answer; asking again is safe.
        """
        found = await self._database.run(lambda tx: self._open(tx, asked))
        return [_opened(found[item.wallet_id], item) for item in asked]

    async def apply(self, asked: Sequence[NewOperation]) -> Sequence[Outcome]:
        """Apply operations, each once; answer each in order.

        Raises:
            Unavailable: the database did not answer; asking again is safe.
            ResourceExhausted: too much is waiting.
        """
        return await self._operations.submit(asked)

    async def reverse(self, operation_ids: Sequence[str]) -> Sequence[ReversalOutcome]:
        """Take credits back, each once, or close their ids; answer each in order.

        Raises:
            Unavailable: the database did not answer; asking again is safe.
            ResourceExhausted: too much is waiting.
        """
        return await self._reversals.submit(operation_ids)

    async def _open(self, tx: Transaction, asked: Sequence[NewWallet]) -> dict[str, Wallet]:
        found = await _wallets(tx, statements.WALLETS, [item.wallet_id for item in asked])
        missing = {w.wallet_id: w for w in reversed(asked) if w.wallet_id not in found}
        if not missing:
            return found
        now = self._clock()
        values = [
            (w.wallet_id, w.client_id, w.owner, w.currency, now) for _, w in sorted(missing.items())
        ]
        await tx.execute(statements.OPEN_WALLETS, columns(values, 5))
        return found | await _wallets(tx, statements.WALLETS, list(missing))

    async def _run_operations(self, asked: Sequence[NewOperation]) -> Sequence[Outcome]:
        outcomes = await self._database.run(lambda tx: self._apply(tx, asked))
        self._log.debug("applied", count=len(asked))
        return outcomes

    async def _apply(self, tx: Transaction, asked: Sequence[NewOperation]) -> list[Outcome]:
        held = await _lock(tx, (item.wallet_id for item in asked))
        known, closed = await _claimed(tx, [item.operation_id for item in asked])
        wallets = Wallets(held, known, closed, now=self._clock())
        outcomes = [wallets.apply(item) for item in asked]
        await _write(tx, wallets)
        return outcomes

    async def _run_reversals(self, operation_ids: Sequence[str]) -> Sequence[ReversalOutcome]:
        outcomes = await self._database.run(lambda tx: self._reverse(tx, operation_ids))
        self._log.debug("reversed", count=len(operation_ids))
        return outcomes

    async def _reverse(
        self, tx: Transaction, operation_ids: Sequence[str]
    ) -> list[ReversalOutcome]:
        # What is reversed never changes, so it may be read before the lock; whether it has been
        # reversed, and what is still pending, may change, and is read after it.
        known, closed = await _claimed(tx, operation_ids)
        held = await _lock(tx, (operation.wallet_id for operation in known))
        undone, kept_out = await _claimed(tx, [reversal_id(o.operation_id) for o in known])
        pots = columns(sorted({(o.wallet_id, o.subject_id) for o in known}), 2)
        pending = rows.to_pending(await tx.all(statements.PENDING, pots))
        wallets = Wallets(
            held, [*known, *undone], [*closed, *kept_out], pending=pending, now=self._clock()
        )
        outcomes = [wallets.reverse(operation_id) for operation_id in operation_ids]
        await _write(tx, wallets)
        return outcomes


def _opened(wallet: Wallet, asked: NewWallet) -> Wallet | Refusal:
    try:
        wallet.require_same(asked)
    except Refusal as refusal:
        return refusal
    return wallet


async def _wallets(tx: Transaction, query: str, wallet_ids: Sequence[str]) -> dict[str, Wallet]:
    found = map(rows.to_wallet, await tx.all(query, [wallet_ids]))
    return {wallet.wallet_id: wallet for wallet in found}


async def _lock(tx: Transaction, wallet_ids: Iterable[str]) -> Sequence[Wallet]:
    found = await _wallets(tx, statements.LOCK_WALLETS, sorted(set(wallet_ids)))
    return list(found.values())


async def _claimed(
    tx: Transaction, operation_ids: Sequence[str]
) -> tuple[list[Operation], list[str]]:
    """Find the operations of ids, and which of the ids are closed."""
    found = await tx.all(statements.CLAIMED, [sorted(set(operation_ids))])
    closed = [row["claimed"] for row in found if row["is_closed"]]
    return [rows.to_operation(row) for row in found if not row["is_closed"]], closed


async def _write(tx: Transaction, wallets: Wallets) -> None:
    if wallets.applied or wallets.closings:
        await tx.execute(statements.CLAIM, columns(rows.claim_rows(wallets), 3))
    if wallets.applied:
        operations = rows.operation_rows(wallets.applied)
        await tx.execute(statements.INSERT_OPERATIONS, columns(operations, 14))
        changed = [
            (w.wallet_id, w.pending.amount, w.available.amount, w.operation_count)
            for w in wallets.changed
        ]
        await tx.execute(statements.UPDATE_WALLETS, columns(changed, 4))
