"""The books, for writing: accounts here, what moves value by way of the pipeline."""

from collections.abc import Sequence

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
from ledger_svc import batch_rows, lookup, rows, statements
from ledger_svc.bookkeeper import LedgerBookkeeper
from ledger_svc.domain import errors
from ledger_svc.domain.account import Account, AccountStatus, NewAccount
from ledger_svc.domain.books import Outcome
from ledger_svc.domain.errors import Refusal
from ledger_svc.domain.posting import Action, Command, Resolution


class LedgerStore:
    """The books, for writing.

    Args:
        database: opened as the app role.
        batches_in_flight: see `GroupCommit`.
        clock: tells `created_at`, as far as what is written already allows.
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
        self._due = Due(database, statements.EXPIRED, "reference")
        pipeline = Pipeline(LedgerBookkeeper(database, clock, faults or FaultPoints()))
        self._commands: GroupCommit[Command, Outcome] = GroupCommit(
            pipeline.run, in_flight=batches_in_flight
        )

    async def open_accounts(self, asked: Sequence[NewAccount]) -> Sequence[Account | Refusal]:
        """Open the accounts that are not there yet; answer each in order.

        Raises:
            Unavailable: the database did not answer; asking again is safe.
        """
        found = await self._database.run(lambda tx: self._open(tx, asked))
        return [_opened(found[item.account_id], item) for item in asked]

    async def change_status(
        self, account_id: str, to: AccountStatus, *, reason: str, actor: str
    ) -> Account:
        """Freeze, unfreeze or close an account, and keep by whom and why.

        Raises:
            AccountNotFound, AccountClosed, AccountNotEmpty: see `Account.with_status`.
            Unavailable: the database did not answer; asking again is safe.
        """

        async def work(tx: Transaction) -> Account:
            locked = await lookup.lock(tx, [account_id], self._clock())
            if not locked:
                raise errors.AccountNotFound(account_id)
            account = locked[0]
            after = account.with_status(to)
            if after.status is not account.status:
                await tx.execute(statements.CHANGE_STATUS, [to.value, account.key])
                values = {"key": account.key, "from": account.status.value, "to": to.value}
                told = {"reason": reason, "actor": actor, "at": self._clock()}
                await tx.execute(statements.RECORD_CHANGE, {**values, **told})
                change = by_caller(
                    "ledger_svc/ChangeStatus",
                    "account",
                    account_id,
                    reason=reason,
                    before={"status": account.status},
                    after={"status": to},
                )
                await add_in(tx, [change])
            (row,) = await tx.all(statements.ACCOUNTS, [texts([account_id])])
            return rows.to_account(row)

        return await self._database.run(work)

    async def do(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        """Post, resolve and reverse, each whole or not at all; answer each in order.

        Raises:
            Unavailable: the database did not answer; asking again is safe.
            ResourceExhausted: too much is waiting.
        """
        return await self._commands.submit(commands)

    async def expire(self, *, limit: int) -> int:
        """Expire pending transactions that had their time, `limit` at most; tell how many were
        looked at. As long as they are `limit`, it goes on behind them, so that one that cannot end
        keeps no other back.

        Raises:
            Unavailable: the database did not answer; asking again is safe.
        """
        return await self._due.end(self._clock(), limit, self._expire)

    async def _expire(self, due: Sequence[DictRow]) -> Sequence[Outcome]:
        return await self.do([Resolution(row["reference"], Action.EXPIRE) for row in due])

    async def _open(self, tx: Transaction, asked: Sequence[NewAccount]) -> dict[str, Account]:
        found = await _accounts(tx, [item.account_id for item in asked])
        missing = {a.account_id: a for a in reversed(asked) if a.account_id not in found}
        if not missing:
            return found
        new = [account for _, account in sorted(missing.items())]
        values = batch_rows.new_accounts(new)
        opened = await tx.all(statements.OPEN_ACCOUNTS, [*values, self._clock()])
        made = {row["account_id"] for row in opened}
        await add_in(tx, [_opening(account) for account in new if account.account_id in made])
        return found | await _accounts(tx, list(missing))


def _opening(account: NewAccount) -> Record:
    after = {"type": account.type, "currency": account.currency, "status": AccountStatus.OPEN}
    return by_caller("ledger_svc/OpenAccounts", "account", account.account_id, after=after)


def _opened(account: Account, asked: NewAccount) -> Account | Refusal:
    try:
        account.require_same(asked)
    except Refusal as refusal:
        return refusal
    return account


async def _accounts(tx: Transaction, account_ids: Sequence[str]) -> dict[str, Account]:
    found = map(rows.to_account, await tx.all(statements.ACCOUNTS, [texts(account_ids)]))
    return {account.account_id: account for account in found}
