"""What the use cases need from outside: a place that keeps the wallets, and the books to compare
them with.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from wallet_svc.domain.comparison import Balance, History
from wallet_svc.domain.errors import Refusal
from wallet_svc.domain.hold import Hold
from wallet_svc.domain.operation import Command, Kind, Operation
from wallet_svc.domain.wallet import NewWallet, Wallet, WalletChange, WalletStatus
from wallet_svc.domain.wallets import ReversalOutcome

# How many operations a page looks at when few of them may be what is asked for.
LOOKED_AT_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Period:
    """From a time on, and up to but without another; None leaves an end open."""

    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class OperationFilter:
    """Which operations to list; an empty text, or None, filters nothing."""

    wallet_id: str = ""
    subject_id: str = ""
    kind: Kind | None = None
    created: Period = Period()


@dataclass(frozen=True, slots=True)
class Moment:
    """Where an operation stands among those of all wallets."""

    created_at: datetime
    wallet_sequence: int
    operation_id: str


@dataclass(frozen=True, slots=True)
class Operations:
    """Some of a list; `reached` is where to go on, when as many were looked at as may be before a
    page was full.
    """

    found: Sequence[Operation]
    reached: Moment | None = None


@dataclass(frozen=True, slots=True)
class HoldPlace:
    """Where a hold stands among those of its wallet."""

    created_at: datetime
    hold_id: str


@dataclass(frozen=True, slots=True)
class AccountPage:
    """Some accounts, and what to ask with for the next; an empty token is the end."""

    balances: Mapping[str, Balance]
    next_token: str


class WalletWriter(Protocol):
    """Writes wallets. Each call is durable when it answers, and safe to repeat."""

    async def open_wallets(self, asked: Sequence[NewWallet]) -> Sequence[Wallet | Refusal]:
        """Open the wallets that are not there yet; answer each in order."""
        ...

    async def do(self, commands: Sequence[Command]) -> Sequence[ReversalOutcome]:
        """Apply operations and reversals, each once, linked ones together; answer each in order."""
        ...

    async def change_status(
        self, wallet_id: str, to: WalletStatus, *, reason: str, actor: str
    ) -> Wallet:
        """Change a wallet's status, and keep by whom and why."""
        ...

    async def set_credit_limit(
        self, wallet_id: str, limit: str, *, reason: str, actor: str
    ) -> Wallet:
        """Set a wallet's credit limit, and keep by whom and why."""
        ...


class WalletReader(Protocol):
    """Reads wallets; each answer is of one moment."""

    async def wallets(self, wallet_ids: Sequence[str]) -> Sequence[Wallet]:
        """Find wallets; those that are not there are left out."""
        ...

    async def wallets_from(self, prefix: str, *, after: str, limit: int) -> Sequence[Wallet]:
        """List the wallets whose id begins with `prefix`, by id, from past `after` on."""
        ...

    async def changes(self, wallet_id: str, *, before: int, limit: int) -> Sequence[WalletChange]:
        """List the changes of a wallet's status and limit, the newest first, from before a version
        of it.
        """
        ...

    async def places(self, wallet_id: str, period: Period) -> tuple[int, int]:
        """Tell between which two places in a wallet's history, both without, all that was done in a
        period is; there may be others. Zeros: there is no such wallet.
        """
        ...

    async def wallet_operations(
        self, which: OperationFilter, *, between: tuple[int, int], limit: int
    ) -> Sequence[Operation]:
        """List one wallet's operations, the newest first, between two places in its history."""
        ...

    async def operations(
        self, which: OperationFilter, *, before: Moment | None, limit: int
    ) -> Operations:
        """List operations, the newest first, from before a moment; of a kind, only some are looked
        at.
        """
        ...

    async def hold(self, hold_id: str) -> Hold | None:
        """Find a hold."""
        ...

    async def holds(
        self, wallet_id: str, *, only_open: bool, before: HoldPlace | None, limit: int
    ) -> Sequence[Hold]:
        """List a wallet's holds, the newest first, from before a place among them."""
        ...

    async def unfounded(self, wallet_ids: Sequence[str]) -> Sequence[str]:
        """Name those wallets, by id, whose balances are not what their newest operation left, or
        whose open holds are not what is held.
        """
        ...

    async def history(self, wallet_id: str, since: datetime | None) -> History:
        """Sum what the operations of each object have changed in a wallet since a time."""
        ...


class WalletWatch(Protocol):
    """Watches wallets."""

    def states(
        self, wallet: Wallet, after_version: int, timeout_s: float
    ) -> AsyncGenerator[Wallet, None]:
        """Tell a wallet's state if it is newer than a version, then newer ones for `timeout_s`."""
        ...


class LedgerBooks(Protocol):
    """The ledger's books, as far as wallets are compared with them. It only reads."""

    async def balances(self, account_ids: Sequence[str]) -> Mapping[str, Balance]:
        """Read accounts; those that are not there are left out."""
        ...

    async def accounts_from(self, prefix: str, token: str) -> AccountPage:
        """List the accounts whose id begins with `prefix`, by id, from where a page ended."""
        ...

    async def history(self, account_id: str, since: datetime | None) -> History:
        """Sum the entries of each object on an account, in its normal direction, since a time; or
        since a later one, when what was before is archived.
        """
        ...
