"""What the use cases need from outside: a place that keeps the wallets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from wallet_svc.domain.errors import Refusal
from wallet_svc.domain.operation import NewOperation, Operation
from wallet_svc.domain.wallet import NewWallet, Wallet
from wallet_svc.domain.wallets import Outcome, ReversalOutcome


@dataclass(frozen=True, slots=True)
class OperationFilter:
    """Which operations to list; an empty text filters nothing."""

    wallet_id: str = ""
    subject_id: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """Where an operation stands among those of all wallets."""

    created_at: datetime
    wallet_sequence: int
    operation_id: str


class WalletWriter(Protocol):
    """Writes wallets. Each call is durable when it answers, and safe to repeat."""

    async def open_wallets(self, asked: Sequence[NewWallet]) -> Sequence[Wallet | Refusal]:
        """Open the wallets that are not there yet; answer each in order."""
        ...

    async def apply(self, asked: Sequence[NewOperation]) -> Sequence[Outcome]:
        """Apply operations, each once; answer each in order."""
        ...

    async def reverse(self, operation_ids: Sequence[str]) -> Sequence[ReversalOutcome]:
        """Take credits back, each once, or close their ids; answer each in order."""
        ...


class WalletReader(Protocol):
    """Reads wallets."""

    async def wallet(self, wallet_id: str) -> Wallet | None:
        """Find a wallet."""
        ...

    async def wallet_operations(
        self, wallet_id: str, *, before: int | None, limit: int
    ) -> Sequence[Operation]:
        """List a wallet's operations, the newest first, from before a `wallet_sequence`."""
        ...

    async def operations(
        self, which: OperationFilter, *, before: Moment | None, limit: int
    ) -> Sequence[Operation]:
        """List operations, the newest first, from before a moment."""
        ...
