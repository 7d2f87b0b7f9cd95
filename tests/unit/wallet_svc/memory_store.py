"""The wallets in memory, for writing: what the service decides, without a database."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal

from wallet_svc.domain.decisions import decide
from wallet_svc.domain.errors import Refusal
from wallet_svc.domain.hold import Hold, HoldStatus
from wallet_svc.domain.operation import Command, Kind, NewOperation, Operation, expiry_id
from wallet_svc.domain.wallet import NewWallet, Standing, Wallet, WalletStatus
from wallet_svc.domain.wallets import Pot, ReversalOutcome, Wallets


class MemoryStore:
    """Keeps wallets; a key is written once, as the database would have it."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.kept: dict[str, Wallet] = {}
        self.operations: dict[str, Operation] = {}
        self.closed: set[str] = set()
        self.kept_holds: dict[str, Hold] = {}
        self._clock = clock

    async def open_wallets(self, asked: Sequence[NewWallet]) -> Sequence[Wallet | Refusal]:
        """Open wallets that are not there."""
        nothing = Standing(Decimal(0), Decimal(0), Decimal(0), 0, 1)
        for new in asked:
            opened = Wallet(
                new.wallet_id,
                new.client_id,
                new.owner,
                new.currency,
                new.account_type,
                WalletStatus.OPEN,
                new.credit_limit or Decimal(0),
                nothing,
            )
            self.kept.setdefault(new.wallet_id, opened)
        return [self.kept[new.wallet_id] for new in asked]

    async def do(self, commands: Sequence[Command]) -> Sequence[ReversalOutcome]:
        """Decide a batch, and keep it."""
        pending: dict[Pot, Decimal] = defaultdict(Decimal)
        for known in self.operations.values():
            pending[Pot(known.wallet_id, known.subject_id)] += known.change.pending
        for command in commands:
            if isinstance(command, NewOperation):
                pending[Pot(command.wallet_id, command.subject_id)] += 0
        wallets = Wallets(
            self.kept.values(),
            self.operations.values(),
            self.closed,
            holds=self.kept_holds.values(),
            pending=pending,
            now=self._clock(),
        )
        outcomes = decide(wallets, commands)
        self._keep(wallets)
        return outcomes

    async def expire(self, *, limit: int) -> int:
        """Expire holds that had their time."""
        due = [
            hold
            for hold in self.kept_holds.values()
            if hold.status is HoldStatus.OPEN and hold.is_due(self._clock())
        ][:limit]
        await self.do(
            [
                NewOperation(
                    expiry_id(hold.hold_id),
                    hold.wallet_id,
                    Kind.EXPIRE,
                    Decimal(0),
                    hold.currency,
                    hold.subject_id,
                    hold.hold_id,
                )
                for hold in due
            ]
        )
        return len(due)

    async def change_status(
        self, wallet_id: str, to: WalletStatus, *, reason: str, actor: str
    ) -> Wallet:
        """Change a wallet's status."""
        self.kept[wallet_id] = self.kept[wallet_id].with_status(to)
        return self.kept[wallet_id]

    async def wallets(self, wallet_ids: Sequence[str]) -> Sequence[Wallet]:
        """Find wallets, by id."""
        return [self.kept[name] for name in sorted(wallet_ids) if name in self.kept]

    async def hold(self, hold_id: str) -> Hold | None:
        """Find a hold."""
        return self.kept_holds.get(hold_id)

    def _keep(self, wallets: Wallets) -> None:
        for wallet, standing in wallets.changed:
            self.kept[wallet.wallet_id] = wallet._replace(standing=standing)
        for operation in wallets.applied:
            assert operation.operation_id not in self.operations.keys() | self.closed
            self.operations[operation.operation_id] = operation
        assert not self.closed & set(wallets.closings)
        self.closed.update(wallets.closings)
        for hold_id in wallets.moved_holds:
            self.kept_holds[hold_id] = wallets.holds[hold_id]
