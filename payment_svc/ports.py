"""What the use cases and the coordinator need from outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from payment_svc.domain.payment import Payment
from payment_svc.sagas.commands import Command
from payment_svc.sagas.engine import Entry, Journey, Move, Progress, Queue
from payment_svc.sagas.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class NewPayment:
    """A payment to be accepted, with all that its acceptance writes.

    `fingerprint` hashes each field of the request; `answer` is the first answer, kept verbatim.
    """

    payment: Payment
    saga: Progress
    method: str
    idempotency_key: str
    fingerprint: Mapping[str, str]
    answer: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """It is stored; `answer` is the first answer, `replayed` whether it was there before."""

    payment_id: str
    answer: bytes
    replayed: bool


@dataclass(frozen=True, slots=True)
class KeyReused:
    """The key was used with another request; `fields` differ."""

    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OrderIdInUse:
    """These ids belong to orders that have not failed."""

    payment_order_ids: tuple[str, ...]


Acceptance = Accepted | KeyReused | OrderIdInUse


class PaymentStore(Protocol):
    """Payments at rest."""

    async def accept(self, new: NewPayment) -> Acceptance:
        """Store payment, orders, idempotency record and saga in one transaction, or nothing."""
        ...

    async def find(self, payment_id: str) -> Payment | None:
        """Read a payment of any client."""
        ...


@dataclass(frozen=True, slots=True)
class SagaView:
    """A saga as an operator sees it; `due_at` is None when nothing is due any more."""

    progress: Progress
    due_at: datetime | None
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A line of the status history."""

    subject_id: str
    from_status: str
    to_status: str
    reason: str
    changed_at: datetime


class LostLease(Exception):
    """Somebody else has claimed the saga since; what was to be written is refused."""


class SagaStore(Protocol):
    """Sagas at rest: the queue, the lease, the journal."""

    async def claim(self, limit: int) -> Sequence[Journey]:
        """Take up to `limit` due sagas, each under a new epoch and a lease of our own."""
        ...

    async def record(self, move: Move) -> None:
        """Write a move in one transaction.

        Raises:
            LostLease: the epoch is no longer ours; nothing is written.
        """
        ...

    async def release_own(self) -> int:
        """Make due what a former run of this instance held; tell how many."""
        ...

    async def explain(self, payment_id: str) -> tuple[Sequence[SagaView], Sequence[StatusChange]]:
        """Read a payment's sagas with their journals, and its status history, oldest first."""
        ...

    async def list_queue(
        self, queue: Queue, limit: int, after: tuple[datetime, str] | None
    ) -> Sequence[SagaView]:
        """List a queue by due time, then id, after a place in it."""
        ...


class Services(Protocol):
    """The other services, as a saga step sees them."""

    async def perform(self, command: Command) -> Outcome:
        """Have a command done; every failure is told as an outcome."""
        ...
