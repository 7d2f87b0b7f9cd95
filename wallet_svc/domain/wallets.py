"""The wallets that a batch touches, held in memory while they are locked.

Items are decided here one after the other, so that a hot wallet costs one lock a batch and a
refused item changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from chassis.money import Money
from wallet_svc.domain import errors
from wallet_svc.domain.errors import Refusal
from wallet_svc.domain.operation import Kind, NewOperation, Operation, reversal_id
from wallet_svc.domain.wallet import Change, Wallet


@dataclass(frozen=True, slots=True)
class Applied:
    """The operation stands; `replayed` says that it had been applied before."""

    operation: Operation
    replayed: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """The operation id was not there, and is closed; `replayed` says that it was closed before."""

    operation_id: str
    replayed: bool


@dataclass(frozen=True, slots=True)
class Pot:
    """The operations of one wallet that were done for one object, such as a payment."""

    wallet_id: str
    subject_id: str


Outcome = Applied | Refusal
ReversalOutcome = Applied | Closed | Refusal


class Wallets:
    """Decides a batch; what is to be written is read off it afterwards.

    Args:
        wallets: those that the batch touches, as far as they exist.
        operations: those that exist under the batch's ids.
        closed: the ids among them that were reversed before they arrived.
        pending: what each pot still has in pending; needed for reversals alone.
        now: when the batch is written.
    """

    def __init__(
        self,
        wallets: Iterable[Wallet],
        operations: Iterable[Operation],
        closed: Iterable[str],
        *,
        pending: Mapping[Pot, Decimal] | None = None,
        now: datetime,
    ) -> None:
        self._wallets = {wallet.wallet_id: wallet for wallet in wallets}
        self._operations = {known.operation_id: known for known in operations}
        self._closed = set(closed)
        self._pending = dict(pending or {})
        self._changed: set[str] = set()
        self.now = now
        self.applied: list[Operation] = []
        self.closings: list[str] = []

    @property
    def changed(self) -> list[Wallet]:
        """The wallets that have new operations, as they are now, by id."""
        return [self._wallets[wallet_id] for wallet_id in sorted(self._changed)]

    def apply(self, asked: NewOperation) -> Outcome:
        """Apply an operation, answer as the first time, or refuse it."""
        try:
            return self._apply(asked)
        except Refusal as refusal:
            return refusal

    def reverse(self, operation_id: str) -> ReversalOutcome:
        """Take a credit back, once; close an id that is not there."""
        known = self._operations.get(operation_id)
        if known is None:
            return self._close(operation_id)
        try:
            return self._reverse(known)
        except Refusal as refusal:
            return refusal

    def _apply(self, asked: NewOperation) -> Applied:
        known = self._operations.get(asked.operation_id)
        if known is not None:
            known.require_same(asked)
            return Applied(known, replayed=True)
        if asked.operation_id in self._closed:
            raise errors.ReversedBeforeArrival(asked.operation_id)
        return Applied(self._write(asked, asked.change), replayed=False)

    def _close(self, operation_id: str) -> Closed:
        replayed = operation_id in self._closed
        if not replayed:
            self._closed.add(operation_id)
            self.closings.append(operation_id)
        return Closed(operation_id, replayed)

    def _reverse(self, credit: Operation) -> Applied:
        if credit.kind is not Kind.CREDIT:
            raise errors.NotReversible(credit.operation_id, credit.kind)
        own_id = reversal_id(credit.operation_id)
        known = self._operations.get(own_id)
        if known is not None:
            if known.reverses != credit.operation_id:
                raise errors.OperationReused(own_id, ["reverses"])
            return Applied(known, replayed=True)
        if own_id in self._closed:
            raise errors.ReversedBeforeArrival(own_id)
        asked = NewOperation(
            own_id, credit.wallet_id, Kind.REVERSAL, credit.amount, credit.subject_id
        )
        return Applied(
            self._write(asked, self._taking_back(credit), reverses=credit.operation_id),
            replayed=False,
        )

    def _taking_back(self, credit: Operation) -> Change:
        """Take from pending what the credit's pot still has there, and the rest from available.

        A SETTLE names no credit, yet it is done for the same object: what it settled is no longer
        in the pot's pending. So a reversal never eats into what is pending for another object.
        """
        pot = Pot(credit.wallet_id, credit.subject_id)
        wallet = self._wallet(credit.wallet_id)
        left = max(self._pending.get(pot, Decimal(0)), Decimal(0))
        unsettled = min(credit.amount.amount, left, wallet.pending.amount)
        from_pending = Money.of_stored(unsettled, credit.amount.currency)
        return Change(pending=-from_pending, available=from_pending - credit.amount)

    def _write(self, asked: NewOperation, change: Change, *, reverses: str = "") -> Operation:
        wallet = self._wallet(asked.wallet_id)
        wallet.require_takes(asked.amount.currency)
        wallet = wallet.changed(change)
        operation = Operation(
            operation_id=asked.operation_id,
            wallet_id=asked.wallet_id,
            kind=asked.kind,
            amount=asked.amount,
            subject_id=asked.subject_id,
            change=change,
            pending_after=wallet.pending,
            available_after=wallet.available,
            held_after=wallet.held,
            wallet_sequence=wallet.operation_count,
            created_at=self.now,
            reverses=reverses,
        )
        self._keep(wallet, operation)
        return operation

    def _keep(self, wallet: Wallet, operation: Operation) -> None:
        """Everything was accepted: only now does anything change."""
        self._wallets[wallet.wallet_id] = wallet
        self._changed.add(wallet.wallet_id)
        self._operations[operation.operation_id] = operation
        self.applied.append(operation)
        pot = Pot(operation.wallet_id, operation.subject_id)
        if pot in self._pending:
            self._pending[pot] += operation.change.pending.amount

    def _wallet(self, wallet_id: str) -> Wallet:
        wallet = self._wallets.get(wallet_id)
        if wallet is None:
            raise errors.WalletNotFound(wallet_id)
        return wallet
