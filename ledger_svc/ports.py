"""What the use cases need from outside: a place that keeps the books."""

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol, TypeVar

from chassis.money import Money
from ledger_svc.domain.account import (
    Account,
    AccountChange,
    AccountStatus,
    AccountType,
    NewAccount,
    Side,
)
from ledger_svc.domain.books import Outcome
from ledger_svc.domain.chain import Head
from ledger_svc.domain.checkpoint import AccountAt, Checkpoint
from ledger_svc.domain.errors import Refusal
from ledger_svc.domain.held_accounts import HeldAccounts
from ledger_svc.domain.horizon import BEGINNING
from ledger_svc.domain.posting import Command, Line
from ledger_svc.domain.seal import Seal
from ledger_svc.domain.transaction import ListedEntry, Transaction

Result = TypeVar("Result")

Position = tuple[str, int]
"""A place among entries: transaction id and line; entries sort by it, an account's own too."""

EffectivePosition = tuple[datetime, str, int]
"""A place among an account's entries by when they count from."""


@dataclass(frozen=True, slots=True)
class Period:
    """From a time on, and up to but without another; None leaves an end open."""

    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries to list; an empty text filters nothing."""

    account_id: str = ""
    subject_id: str = ""
    reference: str = ""
    period: Period = Period()


@dataclass(frozen=True, slots=True)
class PendingFilter:
    """Which pending transactions to list; an empty text filters nothing."""

    account_id: str = ""
    subject_id: str = ""
    created: Period = Period()
    expires: Period = Period()


@dataclass(frozen=True, slots=True)
class Page:
    """Which page of a list: at most `limit`, from past `after` on, in the order of the list."""

    limit: int
    after: Position | None = None
    oldest_first: bool = False


@dataclass(frozen=True, slots=True)
class TypeTotal:
    """What the accounts of one type and currency have: the sum of the balances above zero, and
    that of those below, without their sign.
    """

    above: Decimal
    below: Decimal
    account_count: int


@dataclass(frozen=True, slots=True)
class TrialBalanceLine:
    """One currency's balances over all accounts, by type of account.

    A balance below zero stands on the other side, as bookkeeping has it.
    """

    currency: str
    totals: Mapping[AccountType, TypeTotal]

    @property
    def debits(self) -> Decimal:
        """The sum of the balances that stand on the debit side."""
        return self._on(Side.DEBIT)

    @property
    def credits(self) -> Decimal:
        """The sum of the balances that stand on the credit side."""
        return self._on(Side.CREDIT)

    def _on(self, side: Side) -> Decimal:
        return sum(
            (
                total.above if kind.normal_side is side else total.below
                for kind, total in self.totals.items()
            ),
            Decimal(0),
        )


@dataclass(frozen=True, slots=True)
class BalanceAt:
    """What an account had at a time, and how many entries had made it."""

    balance: Money
    entry_count: int


@dataclass(frozen=True, slots=True)
class Effects:
    """What an account had before a period and at its end, by when entries count from.

    `until` is when its newest entry was written. Those of the period were written at most `ahead`
    before the time that they count from, and at most `behind` after it: zero or above.
    """

    opening: BalanceAt
    closing: BalanceAt
    ahead: timedelta
    behind: timedelta
    until: datetime

    def written_from(self, at: datetime) -> datetime:
        """Tell before when nothing was written that counts from a time, or a later one."""
        return BEGINNING if at - BEGINNING < self.ahead else at - self.ahead

    def written_until(self, at: datetime) -> datetime:
        """Tell after when nothing was written that counts from a time, or an earlier one."""
        return self.until if self.until - at < self.behind else at + self.behind


@dataclass(frozen=True, slots=True)
class Archived:
    """What was written before `until` cannot be read; none of it takes effect after
    `effective_until`.
    """

    until: datetime
    effective_until: datetime


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where each stream ends, every account by id, the lines of those pending transactions that are
    open and were written before a time, by reference, and the references of all that are open; all
    at one moment.
    """

    heads: Sequence[Head]
    accounts: HeldAccounts
    open_lines: Mapping[str, Sequence[Line]]
    open_references: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Stretch:
    """Transactions that follow each other, ids ascending.

    Attributes:
        transactions: all of them, whole.
        claims: the ids of those that have their references, in the same order; empty: nobody has.
        strays: ids that entries between them say, under which there is no transaction.
    """

    transactions: Sequence[Transaction]
    claims: Sequence[str]
    strays: Sequence[str] = ()


class LedgerWriter(Protocol):
    """Writes the books. Each call is durable when it answers, and safe to repeat."""

    async def open_accounts(self, asked: Sequence[NewAccount]) -> Sequence[Account | Refusal]:
        """Open the accounts that are not there yet; answer each in order."""
        ...

    async def change_status(
        self, account_id: str, to: AccountStatus, *, reason: str, actor: str
    ) -> Account:
        """Freeze, unfreeze or close an account, and keep by whom and why."""
        ...

    async def do(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        """Post, resolve and reverse, each whole or not at all; answer each in order."""
        ...


class LedgerReader(Protocol):
    """Reads the books."""

    async def at_one_moment(self, work: Callable[["LedgerReader"], Awaitable[Result]]) -> Result:
        """Do some work with a reader of which all answers are of one moment; no month is archived
        meanwhile.
        """
        ...

    async def transaction(self, reference: str) -> Transaction | None:
        """Find a transaction by its reference."""
        ...

    async def accounts(self, account_ids: Sequence[str]) -> Sequence[Account]:
        """Find accounts; those that are not there are left out."""
        ...

    async def accounts_from(self, prefix: str, *, after: str, limit: int) -> Sequence[Account]:
        """List the accounts whose id begins with `prefix`, by id, from past `after` on."""
        ...

    async def account_changes(
        self, account_id: str, *, before: int, limit: int
    ) -> Sequence[AccountChange]:
        """List the changes of an account's status, the newest first, from before a number."""
        ...

    async def entries(self, which: EntryFilter, page: Page) -> Sequence[ListedEntry]:
        """List entries."""
        ...

    async def pendings(
        self, which: PendingFilter, *, after: str, limit: int
    ) -> Sequence[Transaction]:
        """List the pending transactions that have not ended, the oldest first, from past an id on;
        an empty one is the beginning.
        """
        ...

    async def balance_before(self, account: Account, moment: datetime) -> BalanceAt:
        """Tell what an account had just before a time, by when entries were written; a time that is
        not archived.
        """
        ...

    async def balance_effective(self, account: Account, moment: datetime) -> BalanceAt:
        """Sum what counts up to and with a time; reads the account's entries since the last
        checkpoint that counts whole by then.
        """
        ...

    async def effects(self, account: Account, period: Period) -> Effects:
        """Sum what counts before a period and until its end; reads the account's entries since the
        last checkpoint that counts whole before it.
        """
        ...

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
        ...

    async def whole_until(self, wanted: datetime | None) -> datetime:
        """Tell a time before which nothing will be written any more, and see to it."""
        ...

    async def archived(self) -> Archived | None:
        """Tell what is archived; after a report, it tells whether all of it was there."""
        ...

    async def trial_balance(self, before: datetime | None) -> Sequence[TrialBalanceLine]:
        """Sum the balances per currency, as they are or as they were just before a time."""
        ...

    async def trial_balance_effective(self, moment: datetime) -> Sequence[TrialBalanceLine]:
        """Sum per currency what counts up to and with a time."""
        ...


class LedgerVerification(Protocol):
    """Reads the books from the first transaction to the last, and the seals."""

    async def snapshot(self, open_before: datetime | None) -> Snapshot:
        """Read all heads and accounts as they are at one moment, and what is pending since before a
        time; None: nothing is.
        """
        ...

    async def heads(self) -> Sequence[Head]:
        """Read where each stream ends now."""
        ...

    async def stretch(self, after: str, *, before: str, limit: int) -> Stretch:
        """Read the transactions between two ids, whole; fewer than `limit` are all. Empty, `after`
        is before every id.
        """
        ...

    async def seals(self, *, after: int, limit: int) -> Sequence[Seal]:
        """Read seals past a number, ascending."""
        ...

    async def seals_before(self, number: int, *, limit: int) -> Sequence[Seal]:
        """Read seals before a number, the newest first."""
        ...

    async def archived(self) -> Archived | None:
        """Tell what is archived."""
        ...

    async def checkpoints(self, *, after: int, limit: int) -> Sequence[Checkpoint]:
        """Read checkpoints past a number, ascending."""
        ...

    async def checkpoints_before(self, number: int, *, limit: int) -> Sequence[Checkpoint]:
        """Read checkpoints before a number, the newest first."""
        ...

    def balances_at(self, checkpoint: Checkpoint) -> AsyncIterator[Sequence[AccountAt]]:
        """Read what the accounts had at a checkpoint, page by page, in any order."""
        ...

    async def stray_balances(self) -> Sequence[int]:
        """Read numbers below and above those of all checkpoints for which balances are kept."""
        ...


class MonthCloser(LedgerVerification, Protocol):
    """Proves the books up to the end of a month, and keeps what they were."""

    async def fence(self, until: datetime) -> None:
        """See to it that nothing is written any more under a time before this one."""
        ...

    async def keep(
        self, checkpoint: Checkpoint, balances: Callable[[], Iterator[AccountAt]]
    ) -> None:
        """Keep a checkpoint, whole; nothing when another with its number is there.

        Args:
            checkpoint: to be kept.
            balances: tells what the accounts have, in any order, from the first on each time.
        """
        ...
