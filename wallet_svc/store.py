"""The wallets, for writing: their opening and changes here, operations by way of the pipeline."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from psycopg.rows import DictRow

from audit_log.origin import by_caller
from audit_log.record import Record
from audit_log.writing import add_in
from bookkeeping.arrays import texts
from bookkeeping.due import Due
from bookkeeping.group_commit import GroupCommit
from bookkeeping.pipeline import Pipeline
from chassis.clock import Clock, utc_now
from chassis.database import Database, Transaction
from chassis.faults import FaultPoints
from wallet_svc import batch_rows, lookup, rows, statements
from wallet_svc.bookkeeper import WalletBookkeeper
from wallet_svc.domain import errors
from wallet_svc.domain.errors import Refusal
from wallet_svc.domain.operation import Command, Kind, NewOperation, expiry_id
from wallet_svc.domain.wallet import (
    Changed,
    NewWallet,
    Wallet,
    WalletChange,
    WalletStatus,
    parse_credit_limit,
)
from wallet_svc.domain.wallets import ReversalOutcome

_NOTHING = Decimal(0)


class WalletStore:
    """The wallets, for writing.

    Args:
        database: opened as the app role.
        batches_in_flight: see `GroupCommit`.
        clock: tells `created_at`, and when holds had their time.
    """

    def __init__(
        self,
        database: Database,
        *,
        batches_in_flight: int = 2,
        clock: Clock = utc_now,
        faults: FaultPoints | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._due = Due(database, statements.DUE_HOLDS, "hold_id")
        pipeline = Pipeline(WalletBookkeeper(database, clock, faults or FaultPoints()))
        self._commands: GroupCommit[Command, ReversalOutcome] = GroupCommit(
            pipeline.run, in_flight=batches_in_flight
        )

    async def open_wallets(self, asked: Sequence[NewWallet]) -> Sequence[Wallet | Refusal]:
        """Open the wallets that are not there yet; answer each in order.

        Raises:
            Unavailable: the database did not answer; asking again is safe.
        """
        found = await self._database.run(lambda tx: self._open(tx, asked))
        return [_opened(found[item.wallet_id], item) for item in asked]

    async def do(self, commands: Sequence[Command]) -> Sequence[ReversalOutcome]:
        """Apply operations and reversals, each once; answer each in order.

        Raises:
            Unavailable: the database did not answer; asking again is safe.
            ResourceExhausted: too much is waiting.
        """
        return await self._commands.submit(commands)

    async def expire(self, *, limit: int) -> int:
        """Expire holds that had their time, `limit` at most; tell how many were looked at.

        As long as they are `limit`, it goes on behind them, so that one that cannot end keeps no
        other back.

        Raises:
            Unavailable: the database did not answer; asking again is safe.
        """
        return await self._due.end(self._clock(), limit, self._expire)

    async def _expire(self, due: Sequence[DictRow]) -> Sequence[ReversalOutcome]:
        return await self.do(
            [
                NewOperation(
                    expiry_id(row["hold_id"]),
                    row["wallet_id"],
                    Kind.EXPIRE,
                    _NOTHING,
                    row["currency"],
                    row["subject_id"],
                    refers_to=row["hold_id"],
                )
                for row in due
            ]
        )

    async def change_status(
        self, wallet_id: str, to: WalletStatus, *, reason: str, actor: str
    ) -> Wallet:
        """Freeze, unfreeze or close a wallet, and keep by whom and why.

        Raises:
            WalletNotFound, WalletClosed, WalletNotEmpty: see `Wallet.with_status`.
            Unavailable: the database did not answer; asking again is safe.
        """

        def work(wallet: Wallet) -> tuple[Wallet, str, str]:
            after = wallet.with_status(to)
            return after, wallet.status.value, after.status.value

        return await self._change(wallet_id, work, Changed.STATUS, reason=reason, actor=actor)

    async def set_credit_limit(
        self, wallet_id: str, limit: str, *, reason: str, actor: str
    ) -> Wallet:
        """Set a wallet's credit limit, a decimal of at least zero, and keep by whom and why.

        Raises:
            WalletNotFound, WalletClosed: see `Wallet.with_credit_limit`.
            InvalidAmount: it is no such decimal of the wallet's currency.
            Unavailable: the database did not answer; asking again is safe.
        """

        def work(wallet: Wallet) -> tuple[Wallet, str, str]:
            after = wallet.with_credit_limit(parse_credit_limit(limit, wallet.currency))
            before = wallet.money(wallet.credit_limit)
            return after, str(before), str(wallet.money(after.credit_limit))

        return await self._change(wallet_id, work, Changed.CREDIT_LIMIT, reason=reason, actor=actor)

    async def _change(
        self,
        wallet_id: str,
        change: Callable[[Wallet], tuple[Wallet, str, str]],
        what: Changed,
        *,
        reason: str,
        actor: str,
    ) -> Wallet:
        async def work(tx: Transaction) -> Wallet:
            locked = await lookup.lock(tx, [wallet_id])
            if not locked:
                raise errors.WalletNotFound(wallet_id)
            wallet, before, after = change(locked[0])
            if before != after:
                version = wallet.standing.version
                made = WalletChange(
                    wallet_id, version, what, before, after, reason, actor, self._clock()
                )
                await _write_change(tx, wallet, made)
            return wallet

        return await self._database.run(work)

    async def _open(self, tx: Transaction, asked: Sequence[NewWallet]) -> dict[str, Wallet]:
        found = await _wallets(tx, [item.wallet_id for item in asked])
        missing = {w.wallet_id: w for w in reversed(asked) if w.wallet_id not in found}
        if not missing:
            return found
        values = batch_rows.new_wallets(missing, self._clock())
        opened = await tx.all(statements.OPEN_WALLETS, values)
        made = {row["wallet_id"] for row in opened}
        await add_in(tx, [_opening(missing[name]) for name in sorted(made)])
        return found | await _wallets(tx, list(missing))


def _opening(wallet: NewWallet) -> Record:
    after = {"currency": wallet.currency, "status": WalletStatus.OPEN}
    if wallet.credit_limit:
        after["credit_limit"] = str(wallet.credit_limit)
    return by_caller("wallet_svc/OpenWallets", "wallet", wallet.wallet_id, after=after)


def _opened(wallet: Wallet, asked: NewWallet) -> Wallet | Refusal:
    try:
        wallet.require_same(asked)
    except Refusal as refusal:
        return refusal
    return wallet


async def _wallets(tx: Transaction, wallet_ids: Sequence[str]) -> dict[str, Wallet]:
    found = map(rows.to_wallet, await tx.all(statements.WALLETS, [texts(wallet_ids)]))
    return {wallet.wallet_id: wallet for wallet in found}


async def _write_change(tx: Transaction, wallet: Wallet, made: WalletChange) -> None:
    after = [wallet.status.value, wallet.credit_limit, made.version, wallet.wallet_id]
    await tx.execute(statements.CHANGE_WALLET, after)
    await tx.execute(
        statements.RECORD_CHANGE,
        [
            made.wallet_id,
            made.version,
            made.what.value,
            made.before,
            made.after,
            made.reason,
            made.actor,
            made.changed_at,
        ],
    )
    what = made.what.value.lower()
    told = by_caller(
        "wallet_svc/ChangeWallet",
        "wallet",
        made.wallet_id,
        reason=made.reason,
        before={what: made.before},
        after={what: made.after},
    )
    await add_in(tx, [told])
