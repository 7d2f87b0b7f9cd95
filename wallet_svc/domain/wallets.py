"""The wallets that a batch touches, held in memory while they are locked.

Commands are decided on them one after the other (see `decisions`), so that a hot wallet costs one
lock a batch and a refused command changes nothing. A draft, which a chain of linked commands is
decided on, sees all of it, and is kept whole or dropped.
"""

from collections import ChainMap
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from wallet_svc.domain import errors
from wallet_svc.domain.errors import Refusal
from wallet_svc.domain.hold import Hold
from wallet_svc.domain.operation import Operation
from wallet_svc.domain.wallet import Standing, Wallet


class Applied(NamedTuple):
    """The operation stands; `replayed` says that it had been applied before."""

    operation: Operation
    replayed: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """The operation id was not there, and is closed; `replayed` says that it was closed before."""

    operation_id: str
    replayed: bool


class Pot(NamedTuple):
    """The operations of one wallet that were done for one object, such as a payment."""

    wallet_id: str
    subject_id: str


Outcome = Applied | Refusal
ReversalOutcome = Applied | Closed | Refusal


class Wallets:
    """What a batch knows and decides; what is to be written is read off it afterwards.

    Args:
        wallets: those that the batch touches, as far as they exist.
        operations: those that exist under the batch's ids.
        closed: the ids among them that were reversed before they arrived.
        holds: those that the batch's operations are for, or have made before.
        pending: what each pot still has in pending, of those that the batch takes back from.
        now: when the batch is written.
    """

    def __init__(
        self,
        wallets: Iterable[Wallet],
        operations: Iterable[Operation] = (),
        closed: Iterable[str] = (),
        *,
        holds: Iterable[Hold] = (),
        pending: Mapping[Pot, Decimal] | None = None,
        now: datetime,
    ) -> None:
        self.wallets = {wallet.wallet_id: wallet for wallet in wallets}
        self.now = now
        self.standings: MutableMapping[str, Standing] = {
            name: wallet.standing for name, wallet in self.wallets.items()
        }
        self.operations: MutableMapping[str, Operation] = {o.operation_id: o for o in operations}
        self.closed: MutableMapping[str, bool] = dict.fromkeys(closed, True)
        self.holds: MutableMapping[str, Hold] = {hold.hold_id: hold for hold in holds}
        self.pending: MutableMapping[Pot, Decimal] = dict(pending or {})
        self.applied: list[Operation] = []
        self.closings: list[str] = []
        self.moved_holds: dict[str, None] = {}

    @property
    def changed(self) -> list[tuple[Wallet, Standing]]:
        """The wallets that have new operations, as they were, with what they have now; by id."""
        names = sorted({operation.wallet_id for operation in self.applied})
        return [(self.wallets[name], self.standings[name]) for name in names]

    def wallet(self, wallet_id: str) -> Wallet:
        """Find a wallet.

        Raises:
            WalletNotFound: there is none.
        """
        wallet = self.wallets.get(wallet_id)
        if wallet is None:
            raise errors.WalletNotFound(wallet_id)
        return wallet

    def hold(self, hold_id: str, wallet_id: str) -> Hold:
        """Find a hold of a wallet.

        Raises:
            HoldNotFound: there is none.
        """
        hold = self.holds.get(hold_id)
        if hold is None or hold.wallet_id != wallet_id:
            raise errors.HoldNotFound(hold_id)
        return hold

    def keep(self, operation: Operation, hold: Hold | None = None) -> None:
        """Keep an operation, and the hold that it made or moved: all of it was accepted."""
        self.standings[operation.wallet_id] = operation.after
        self.operations[operation.operation_id] = operation
        self.applied.append(operation)
        if self.pending:
            pot = Pot(operation.wallet_id, operation.subject_id)
            if pot in self.pending:
                self.pending[pot] += operation.change.pending
        if hold is not None:
            self.holds[hold.hold_id] = hold
            self.moved_holds[hold.hold_id] = None

    def close(self, operation_id: str) -> Closed:
        """Close an operation id, once."""
        if operation_id in self.closed:
            return Closed(operation_id, replayed=True)
        self.closed[operation_id] = True
        self.closings.append(operation_id)
        return Closed(operation_id, replayed=False)

    def draft(self) -> "Draft":
        """Make a draft that sees all of this and changes nothing of it."""
        return Draft(self)

    def keep_draft(self, draft: "Draft") -> None:
        """Make a draft part of this."""
        self.standings.update(draft.new_standings)
        self.operations.update(draft.new_operations)
        self.closed.update(draft.new_closed)
        self.holds.update(draft.new_holds)
        self.pending.update(draft.new_pending)
        self.applied += draft.applied
        self.closings += draft.closings
        self.moved_holds |= draft.moved_holds


class Draft(Wallets):
    """What a chain of linked commands would change."""

    def __init__(self, base: Wallets) -> None:
        super().__init__((), now=base.now)
        self.wallets = base.wallets
        self.new_standings: dict[str, Standing] = {}
        self.new_operations: dict[str, Operation] = {}
        self.new_closed: dict[str, bool] = {}
        self.new_holds: dict[str, Hold] = {}
        self.new_pending: dict[Pot, Decimal] = {}
        self.standings = ChainMap(self.new_standings, base.standings)
        self.operations = ChainMap(self.new_operations, base.operations)
        self.closed = ChainMap(self.new_closed, base.closed)
        self.holds = ChainMap(self.new_holds, base.holds)
        self.pending = ChainMap(self.new_pending, base.pending)
