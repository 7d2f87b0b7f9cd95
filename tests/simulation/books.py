"""The databases of ledger_svc, wallet_svc and risk_svc in memory; their own domains decide."""

from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from chassis.money import Money
from ledger_svc.domain.account import Account, AccountStatus, NewAccount, Standing
from ledger_svc.domain.books import Books, Outcome
from ledger_svc.domain.chain import Head
from ledger_svc.domain.decisions import decide
from ledger_svc.domain.errors import Refusal as LedgerRefusal
from ledger_svc.domain.posting import Command as LedgerCommand
from ledger_svc.domain.transaction import Transaction
from risk_svc.domain.assessment import Assessment, PaymentFacts, Subject
from tests.simulation.clockwork import EPOCH, SimulatedLoop
from tests.simulation.disk import Disk
from tests.unit.wallet_svc.memory_store import MemoryStore
from wallet_svc.domain.errors import Refusal as WalletRefusal
from wallet_svc.domain.operation import Command as WalletCommand
from wallet_svc.domain.wallet import NewWallet, Wallet
from wallet_svc.domain.wallets import ReversalOutcome

_TICK = timedelta(microseconds=1)


@dataclass(slots=True)
class Ledger:
    """`ledger_svc.ports.LedgerWriter`.

    Attributes:
        written: every transaction, in order; nothing is ever taken out.
    """

    loop: SimulatedLoop
    disk: Disk
    accounts: dict[str, Account] = field(default_factory=dict)
    written: list[Transaction] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)
    head: Head = field(default_factory=lambda: Head(1))

    async def open_accounts(self, asked: Sequence[NewAccount]) -> Sequence[Account | LedgerRefusal]:
        """See `ports.LedgerWriter`."""
        return await self.disk.run(lambda: [self._opened(one) for one in asked])

    async def do(self, commands: Sequence[LedgerCommand]) -> Sequence[Outcome]:
        """See `ports.LedgerWriter`."""
        return await self.disk.run(lambda: self.decided(commands))

    def decided(self, commands: Sequence[LedgerCommand]) -> list[Outcome]:
        """Decide a batch on what is known, and keep it."""
        self.head = self.head._replace(written_at=max(self.head.written_at, EPOCH))
        now = max(self.loop.now(), self.head.written_at + _TICK)
        books = Books(
            self.accounts.values(),
            self.known(),
            self.closed,
            reversals=self._reversals(),
            head=self.head,
            now=now,
        )
        outcomes = decide(books, commands)
        for account, standing in books.changed:
            after = replace(account, standing=standing, last_entry_at=now)
            self.accounts[account.account_id] = after
        self.head = books.head
        self.written += books.written
        self.closed |= books.closed
        return outcomes

    def known(self) -> Sequence[Transaction]:
        """The transactions that a batch is decided against."""
        return self.written

    def _reversals(self) -> Mapping[str, Sequence[Transaction]]:
        found: dict[str, list[Transaction]] = {}
        for one in self.written:
            if one.heading.reverses_reference:
                found.setdefault(one.heading.reverses_reference, []).append(one)
        return found

    def _opened(self, asked: NewAccount) -> Account | LedgerRefusal:
        nothing = Money.zero(asked.currency)
        standing = Standing(nothing, nothing, nothing, 0)
        fresh = Account(
            asked.account_id, len(self.accounts) + 1, asked.type, asked.currency,
            AccountStatus.OPEN, asked.floor, asked.ceiling, standing, EPOCH, asked.metadata, EPOCH,
        )  # fmt: skip
        account = self.accounts.setdefault(asked.account_id, fresh)
        try:
            account.require_same(asked)
        except LedgerRefusal as refusal:
            return refusal
        return account


@dataclass(slots=True)
class WalletBook:
    """`wallet_svc.ports.WalletWriter` over the wallets in memory of the unit tests."""

    disk: Disk
    store: MemoryStore

    async def open_wallets(self, asked: Sequence[NewWallet]) -> Sequence[Wallet | WalletRefusal]:
        """See `ports.WalletWriter`."""
        return await self.disk.run(lambda: at_once(self.store.open_wallets(asked)))

    async def do(self, commands: Sequence[WalletCommand]) -> Sequence[ReversalOutcome]:
        """See `ports.WalletWriter`."""
        return await self.disk.run(lambda: self.decided(commands))

    def decided(self, commands: Sequence[WalletCommand]) -> Sequence[ReversalOutcome]:
        """Decide a batch, and keep it."""
        outcomes: Sequence[ReversalOutcome] = at_once(self.store.do(commands))
        return outcomes


@dataclass(slots=True)
class Assessments:
    """`risk_svc.ports.AssessmentStore` and `AttemptCounter`, which here counts nothing."""

    disk: Disk
    rows: dict[str, Assessment] = field(default_factory=dict)

    async def find(self, payment_ids: Sequence[str]) -> Mapping[str, Assessment]:
        """See `ports.AssessmentStore`."""
        return await self.disk.run(
            lambda: {one: self.rows[one] for one in payment_ids if one in self.rows}
        )

    async def add(self, assessments: Sequence[Assessment]) -> Mapping[str, Assessment]:
        """See `ports.AssessmentStore`."""
        return await self.disk.run(
            lambda: {a.payment_id: self.rows.setdefault(a.payment_id, a) for a in assessments}
        )

    async def count(
        self, payments: Sequence[PaymentFacts], _: object
    ) -> Sequence[Mapping[Subject, int]]:
        """See `ports.AttemptCounter`."""
        return [{} for _ in payments]


def at_once(work: Coroutine[Any, Any, Any]) -> Any:
    """Run what is written as a coroutine and waits for nothing."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits")
