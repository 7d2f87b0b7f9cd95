"""Reads the books from PostgreSQL."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import copy
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import LiteralString, TypeVar

from psycopg.rows import DictRow

from bookkeeping.arrays import known, plain, texts
from chassis.clock import Clock, utc_now
from chassis.database import Database
from chassis.database import Transaction as DatabaseTransaction
from chassis.errors import Unavailable
from chassis.money import Money
from ledger_svc import effect_statements, filters, lookup, queries, rows, statements
from ledger_svc.domain import chain, errors
from ledger_svc.domain.account import Account, AccountChange, AccountType, Side
from ledger_svc.domain.horizon import TICK, StreamEnd, horizon
from ledger_svc.domain.transaction import ListedEntry, Transaction
from ledger_svc.moment import Moment
from ledger_svc.ports import (
    Archived,
    BalanceAt,
    EffectivePosition,
    Effects,
    EntryFilter,
    Page,
    PendingFilter,
    Period,
    TrialBalanceLine,
    TypeTotal,
)

Result = TypeVar("Result")

_BEGINNING, _END = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
_NO_TIME = timedelta(0)
_DEBIT_TYPES = known([type_ for type_ in AccountType if type_.normal_side is Side.DEBIT])
# Sorts behind every character that an account's id may hold.
_LAST = "~"


class LedgerReader:
    """The books, for reading; each answer is of one moment, several are of `at_one_moment`.

    Args:
        database: opened as the app role.
        report_timeout_s: for what reads every account, or all entries of one.
        few: so many entries of an account are summed where it is asked what counts by a time.
        clock: tells whether an export goes up to a time to come.
    """

    def __init__(
        self,
        database: Database,
        *,
        report_timeout_s: float = 30.0,
        few: int = 10_000,
        clock: Clock = utc_now,
    ) -> None:
        self._database: Database | Moment = database
        self._few = few
        self._report_timeout_s = report_timeout_s
        self._clock = clock

    async def at_one_moment(self, work: Callable[["LedgerReader"], Awaitable[Result]]) -> Result:
        """Do some work with a reader of which all answers are of one moment.

        Raises:
            Unavailable: no answer in time, or a month was archived meanwhile.
        """

        async def at(tx: DatabaseTransaction) -> Result:
            reader = copy(self)
            reader._database = await Moment.begin(tx)  # noqa: SLF001 - of the same class
            return await work(reader)

        archived = await self.archived()
        done = await self._database.run(at, timeout_s=self._report_timeout_s)
        await self._require_same(archived)
        return done

    async def transaction(self, reference: str) -> Transaction | None:
        """Find a transaction by its reference.

        Raises:
            Archived: it was written in a month that is archived.
        """
        found = await self._database.run(lambda tx: lookup.claimed(tx, [reference]))
        for transaction_id in found.archived.values():
            raise errors.Archived(reference, transaction_id)
        return found.transactions[0] if found.transactions else None

    async def accounts(self, account_ids: Sequence[str]) -> Sequence[Account]:
        """Find accounts; those that are not there are left out."""
        found = await self._database.read(statements.ACCOUNTS, [texts(account_ids)])
        return [rows.to_account(row) for row in found]

    async def accounts_from(self, prefix: str, *, after: str, limit: int) -> Sequence[Account]:
        """List the accounts whose id begins with `prefix`, by id, from past `after` on."""
        bounds = [after, prefix, prefix + _LAST, limit]
        found = await self._database.read(queries.ACCOUNTS_FROM, bounds)
        return [rows.to_account(row) for row in found]

    async def account_changes(
        self, account_id: str, *, before: int, limit: int
    ) -> Sequence[AccountChange]:
        """List the changes of an account's status, the newest first, from before a number."""
        asked = {"account": account_id, "before": before, "limit": limit}
        found = await self._database.read(queries.CHANGES, asked)
        return [rows.to_change(row) for row in found]

    async def entries(self, which: EntryFilter, page: Page) -> Sequence[ListedEntry]:
        """List entries."""
        query, asked = filters.entries(which, page)
        found = await self._database.run(lambda tx: tx.tuples(query, asked), alone=True)
        return list(map(rows.to_listed, found))

    async def pendings(
        self, which: PendingFilter, *, after: str, limit: int
    ) -> Sequence[Transaction]:
        """List the pending transactions that have not ended, the oldest first, from past an id on;
        an empty one is the beginning.
        """
        account = None
        if which.account_id:
            found = await self.accounts([which.account_id])
            if not any(
                a.standing.pending_in.amount or a.standing.pending_out.amount for a in found
            ):
                return []
            account = found[0].key
        query, asked = filters.pendings(which, account, after=after, limit=limit)

        async def work(tx: DatabaseTransaction) -> Sequence[Transaction]:
            heads = await tx.all(query, asked)
            if not heads:
                return []
            ids = plain([row["transaction_id"] for row in heads])
            lines = rows.by_transaction(await tx.all(statements.PENDING_LINES_OF, [ids]))
            return [rows.to_transaction(x, (), lines[x["transaction_id"]]) for x in heads]

        return await self._database.run(work)

    async def balance_before(self, account: Account, moment: datetime) -> BalanceAt:
        """Tell what an account had just before a time, by when entries were written."""
        first = filters.digits(chain.first_id(moment))
        found = await self._database.read(queries.BALANCE_BEFORE, [account.key, first])
        for row in found:
            balance = Money.of_stored(row["balance_after"], account.currency)
            return BalanceAt(balance, row["account_sequence"])
        return await self._balance_at_checkpoint(account, moment)

    async def _balance_at_checkpoint(self, account: Account, moment: datetime) -> BalanceAt:
        parameters = [account.key, moment]
        found = await self._database.read(queries.BALANCE_AT_CHECKPOINT, parameters)
        for row in found:
            balance = Money.of_stored(row["balance"], account.currency)
            return BalanceAt(balance, row["entry_count"])
        return BalanceAt(Money.zero(account.currency), 0)

    async def balance_effective(self, account: Account, moment: datetime) -> BalanceAt:
        """Tell what counts up to and with a time: of an account with few entries by summing them,
        see `effects`, of others by what is shifted. That may be all of an imported history, which
        an account of few must not pay for.
        """
        if account.standing.entry_count <= self._few:
            behind = moment + TICK
            return (await self.effects(account, Period(behind, behind))).opening
        asked = {"is_debit": account.type.normal_side is Side.DEBIT, "key": account.key}
        archived = await self.archived()
        written = await self.balance_before(account, moment + TICK)
        query = effect_statements.SHIFTS_OF_ACCOUNT
        (row,) = await self._report(query, {**asked, **_by_effect(moment)})
        await self._require_same(archived)
        shift = Money.of_stored(row["balance"], account.currency)
        return BalanceAt(written.balance + shift, written.entry_count + row["entry_count"])

    async def effects(self, account: Account, period: Period) -> Effects:
        """Sum what counts before a period and until its end; reads the account's entries since the
        last checkpoint that counts whole before it, unless they are many.
        """
        if account.standing.entry_count > self._few:
            return await self._effects_of_many(account, period)
        start, end = period.start or _BEGINNING, period.end or _END
        is_debit = account.type.normal_side is Side.DEBIT
        asked = {"is_debit": is_debit, "key": account.key, "start": start, "end": end}
        archived = await self.archived()
        since = await self._since_checkpoint(start - TICK)
        (row,) = await self._report(queries.EFFECTS, asked | since)
        await self._require_same(archived)
        return Effects(
            BalanceAt(Money.of_stored(row["opening"], account.currency), row["opening_count"]),
            BalanceAt(Money.of_stored(row["closing"], account.currency), row["closing_count"]),
            ahead=max(row["ahead"] or _NO_TIME, _NO_TIME),
            behind=max(row["behind"] or _NO_TIME, _NO_TIME),
            until=account.last_entry_at,
        )

    async def _effects_of_many(self, account: Account, period: Period) -> Effects:
        opening = BalanceAt(Money.zero(account.currency), 0)
        closing = BalanceAt(account.balance, account.standing.entry_count)
        if period.start is not None:
            opening = await self.balance_effective(account, period.start - TICK)
        if period.end is not None:
            closing = await self.balance_effective(account, period.end - TICK)
        return Effects(
            opening, closing, ahead=_NO_TIME, behind=_NO_TIME, until=account.last_entry_at
        )

    async def entries_effective(
        self,
        account: Account,
        period: Period,
        effects: Effects,
        *,
        after: EffectivePosition | None,
        limit: int,
    ) -> Sequence[ListedEntry]:
        """List the entries of an account that count from a time in a period, in the order of these
        times; reads those that were written about then.
        """
        start = period.start or _BEGINNING
        at, after_id, line = after or (start, chain.NOTHING, 0)
        asked = {
            "key": account.key,
            "start": start,
            "end": period.end or _END,
            "after_at": at,
            "after_id": filters.digits(after_id),
            "after_line": line,
            "limit": limit,
            "first": filters.digits(chain.first_id(effects.written_from(at))),
            "last": filters.digits(chain.first_id(effects.until + TICK)),
        }
        if account.standing.entry_count > self._few:
            ends = at, period.end or _END
            asked["first"], asked["last"] = [filters.digits(chain.first_id(x)) for x in ends]
            query = effect_statements.ENTRIES
        else:
            await self._narrow(asked, effects, limit)
            query = queries.ENTRIES_EFFECTIVE
        found = await self._database.run(
            lambda tx: tx.tuples(query, asked), timeout_s=self._report_timeout_s, alone=True
        )
        return list(map(rows.to_listed, found))

    async def _narrow(self, asked: dict[str, object], effects: Effects, limit: int) -> None:
        """Find where the last of a page was written."""
        (row,) = await self._report(queries.EFFECT_REACHED, asked)
        if row["found"] == limit:
            written = effects.written_until(row["reached"])
            asked["last"] = filters.digits(chain.first_id(written + TICK))

    async def trial_balance_effective(self, moment: datetime) -> Sequence[TrialBalanceLine]:
        """Sum per currency what counts up to and with a time."""
        asked = {"debit_types": _DEBIT_TYPES, "until": moment + TICK, **_by_effect(moment)}
        archived = await self.archived()
        found = await self._report(effect_statements.TRIAL_BALANCE, asked)
        await self._require_same(archived)
        return _trial_balance(found)

    async def whole_until(self, wanted: datetime | None) -> datetime:
        """Tell a time before which nothing will be written any more, and see to it; see `horizon`.

        Streams that end before it are moved up to it: a batch that says an earlier time, and is on
        its way to one of them, will be decided again.
        """
        found = await self._database.read(statements.STREAM_ENDS)
        ends = [StreamEnd(row["written_at"], row["is_busy"]) for row in found]
        until = horizon(ends, wanted, self._clock())
        # Until all are there: another may have come up meanwhile.
        while await self._database.run(
            lambda tx: tx.execute(statements.SETTLE_STREAMS, {"at": until - TICK}), alone=True
        ):
            pass
        return until

    async def archived(self) -> Archived | None:
        """Tell what is archived; after a report, it tells whether all of it was there."""
        found = await self._database.read(statements.ARCHIVED)
        return Archived(found[0]["until"], found[0]["effective_until"]) if found else None

    async def trial_balance(self, before: datetime | None) -> Sequence[TrialBalanceLine]:
        """Sum the balances per currency, as they are or as they were just before a time."""
        if before is None:
            found = await self._report(queries.TRIAL_BALANCE, [])
        else:
            first = filters.digits(chain.first_id(before))
            asked = {"first": first, "until": before}
            found = await self._report(queries.TRIAL_BALANCE_BEFORE, asked)
        return _trial_balance(found)

    async def _since_checkpoint(self, moment: datetime) -> dict[str, object]:
        """Say which checkpoint counts whole by a time, and what was written since."""
        for row in await self._database.read(queries.CHECKPOINT_IN_EFFECT, [moment]):
            first = filters.digits(chain.first_id(row["until"]))
            return {"checkpoint": row["number"], "first": first}
        return {"checkpoint": 0, "first": filters.digits(chain.NOTHING)}

    async def _require_same(self, archived: Archived | None) -> None:
        if archived != await self.archived():
            raise Unavailable("A month was archived meanwhile; try again.")

    async def _report(
        self, query: LiteralString, parameters: Sequence[object] | Mapping[str, object]
    ) -> Sequence[DictRow]:
        return await self._database.run(
            lambda tx: tx.all(query, parameters), timeout_s=self._report_timeout_s, alone=True
        )


def _by_effect(moment: datetime) -> dict[str, object]:
    """Say what was written, and what counts, up to and with a time."""
    return {"at": moment, "first": filters.digits(chain.first_id(moment + TICK))}


def _trial_balance(found: Sequence[DictRow]) -> Sequence[TrialBalanceLine]:
    return [
        _trial_balance_line(currency, list(group))
        for currency, group in groupby(found, key=lambda row: row["currency"])
    ]


def _trial_balance_line(currency: str, found: Sequence[DictRow]) -> TrialBalanceLine:
    return TrialBalanceLine(
        currency,
        {
            AccountType(row["type"]): TypeTotal(row["above"], row["below"], row["account_count"])
            for row in found
        },
    )
